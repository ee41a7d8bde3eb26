"""What is exported, whatever its format: as a directory that any exporter reads."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from espnet_merge.checkpoint import open_checkpoint, open_expert
from espnet_merge.checkpoint.adapter import Adapter, read_stored
from espnet_merge.checkpoint.adapter_config import BASE_NAME
from espnet_merge.checkpoint.espnet import read_config
from espnet_merge.checkpoint.hf import is_hf, open_hf, weight_files
from espnet_merge.checkpoint.side_files import side_files
from espnet_merge.decode.expert import check_expert, load_expert
from espnet_merge.disk.cache import default_cache
from espnet_merge.errors import InputError
from espnet_merge.export.format import Source
from espnet_merge.files import (
    ADAPTER_CONFIG,
    CONFIG_YAML,
    GENERATION_JSON,
    PREPROCESSOR_JSON,
    TOKENIZER_JSON,
)
from espnet_merge.lora.stored_mixture import is_mixture
from espnet_merge.tasks.export import export, write_model
from espnet_merge.whisper.converted import as_directory
from espnet_merge.whisper.fetched import is_ct2
from espnet_merge.whisper.generation import clean, mended_generation
from espnet_merge.whisper.prompt import load_tokenizer


@contextmanager
def open_source(
    path: Path, base: Path | None, adapters: Mapping[str, Path]
) -> Iterator[Source]:
    """Give what is exported; temporary directories last as long as the context.

    Args:
        path: a model or an adapter in any format that is read here.
        base: of an adapter, or of a model that has no configuration of its own.
        adapters: name -> adapter of the model ``path``; then that is no adapter.

    Raises:
        InputError: it is none, does not fit its base, or cannot be exported.
    """
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        model, adapter = _told_apart(path, base, place)
        found: dict[str, Path | None] = {"": adapter} if adapter else {}
        for key, one in adapters.items():
            _, found[key] = _told_apart(one, model, place / "adapters" / key)
        if adapters and (adapter or None in found.values()):
            raise InputError(
                "--adapters needs a whole model as INPUT, and PEFT adapters of it; got"
                f" {path}, {' '.join(map(str, adapters.values()))}."
            )
        kept = {key: one for key, one in found.items() if one}
        for one in kept.values():
            check_expert(model, one)
        complete(model, place / "model")
        yield Source(place / "model", kept, _trained_from(path, base, bool(adapter)))


@contextmanager
def folded(source: Source) -> Iterator[Source]:
    """Give the source as one whole model: its adapter is folded into the weights."""
    if not source.adapters:
        yield source
        return
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (adapter,) = source.adapters.values()
        load_expert(source.model, adapter, fold=True).save_pretrained(place / "folded")
        for file in side_files(source.model):
            (place / "folded" / file.name).write_bytes(file.read_bytes())
        yield Source(place / "folded", {}, source.given)


def _told_apart(path: Path, base: Path | None, place: Path) -> tuple[Path, Path | None]:
    """Return the Hugging Face directory of a model, and an adapter of it, if any."""
    if is_mixture(path):
        raise InputError(
            f"{path}: a mixture depends on its input, which no other runtime knows:"
            " decode it here."
        )
    if (path / ADAPTER_CONFIG).is_file() and not is_hf(path):
        return as_directory(_base_of(path, base), default_cache()), path
    if path.is_dir() and (is_hf(path) or is_ct2(path)):
        return as_directory(path, default_cache()), None
    opened = open_expert(path)
    if isinstance(opened, Adapter):
        return _base_in_training(path), _exported(path, place / "adapter")
    if opened.format == "openai":
        return as_directory(opened.path, default_cache()), None
    if "whisper" in opened.config:
        return _exported(path, place / "trained"), None
    if base is None:
        raise InputError(
            f"{path}: has neither tokenizer nor configuration of a Whisper; give the"
            " model that it was trained from as --base."
        )
    whole = place / "whole"
    whole.mkdir(parents=True)
    write_model(
        opened.path, open_checkpoint(as_directory(base, default_cache())), whole
    )
    return whole, None


def _trained_from(path: Path, base: Path | None, is_adapter: bool) -> Path:
    """Return the model that was trained, as far as files say; else ``path``."""
    if path.is_dir():
        return _base_of(path, base) if is_adapter else path
    config = path.parent / CONFIG_YAML
    if config.is_file() and read_config(config).get("whisper"):
        return _base_in_training(path)
    return base or path


def _exported(checkpoint: Path, directory: Path) -> Path:
    export(checkpoint, directory)
    return directory


def _base_in_training(checkpoint: Path) -> Path:
    return Path(str(read_config(checkpoint.parent / CONFIG_YAML).get("whisper")))


def _base_of(adapter: Path, base: Path | None) -> Path:
    """Return the base that is given, or that the adapter names, if it is here."""
    named = read_stored(adapter).config.get(BASE_NAME)
    if base is None and named and Path(str(named)).is_dir():
        base = Path(str(named))
    if base is None:
        raise InputError(
            f"{adapter}: an adapter needs the model that it was trained on; it names"
            f" {named!r}, which is no directory here: give --base."
        )
    return base


def complete(model: Path, directory: Path) -> None:
    """Link the weights of a model, and write all that stands beside them.

    That is what others need to load it: tokenizer, preparation of audio, and how to
    generate, of which older trainings lack one or the other.

    Args:
        model: Hugging Face directory, whose weights have the names of the model.
        directory: to be written.
    """
    from transformers import GenerationConfig, WhisperFeatureExtractor

    opened = open_hf(model)
    tokenizer = load_tokenizer(model)
    directory.mkdir(parents=True)
    for file in weight_files(model):
        (directory / file.name).symlink_to(file.resolve())
    for file in side_files(model):
        (directory / file.name).write_bytes(file.read_bytes())
    if not (directory / TOKENIZER_JSON).exists():
        tokenizer.backend_tokenizer.save(str(directory / TOKENIZER_JSON))
    if not (directory / PREPROCESSOR_JSON).exists():
        mels = opened.config["num_mel_bins"]
        WhisperFeatureExtractor(feature_size=mels).save_pretrained(directory)
    generation = mended_generation(model) or (
        GenerationConfig.from_pretrained(model, local_files_only=True)
        if (model / GENERATION_JSON).is_file()
        else GenerationConfig.from_dict(_suppressed(opened.config))
    )
    clean(generation, tokenizer, opened.config["vocab_size"])
    generation.save_pretrained(directory)


def _suppressed(config: Mapping[str, object]) -> dict[str, object]:
    """Return what config.json says of generation, as it did before 2023."""
    names = ("suppress_tokens", "begin_suppress_tokens")
    return {name: config[name] for name in names if config.get(name)}

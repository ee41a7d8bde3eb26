"""Hugging Face directories: open one, and write one."""

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from espnet_merge.checkpoint.safetensors import (
    DTYPES,
    Entry,
    itemsize,
    read_header,
    to_float,
    write_header,
)
from espnet_merge.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
# Configuration, tokenizer and generation files; never weights or an old index.
SIDE_FILES = (".json", ".txt", ".model", ".tiktoken", ".jinja")
MAX_SHARD = 5_000_000_000
TIED = ("proj_out.weight", "model.decoder.embed_tokens.weight")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk: names, shapes and places of its tensors.

    Args:
        path: The directory as the user named it.
        entries: Name to place of each tensor; a tied copy is left out.
        config: The content of ``config.json``.
        files: Every file that was read, for the provenance.
    """

    path: Path
    entries: dict[str, Entry]
    config: dict[str, Any]
    files: tuple[Path, ...]
    _maps: dict[Path, "NDArray[Any]"] = field(default_factory=dict, repr=False)

    def stored(self, name: str) -> "NDArray[Any]":
        """Return the stored bits of the tensor, flat: a view of the file."""
        import numpy as np

        entry = self.entries[name]
        if entry.file not in self._maps:
            self._maps[entry.file] = np.memmap(entry.file, np.uint8, "r")
        flat = self._maps[entry.file][entry.start : entry.start + entry.nbytes]
        return np.asarray(flat).view(DTYPES[entry.dtype])

    def read(
        self, name: str, compute: str = "float32", piece: slice = slice(None)
    ) -> "NDArray[Any]":
        """Return a flat piece of the tensor as floats; maybe a view: do not write."""
        return to_float(self.stored(name)[piece], self.entries[name].dtype, compute)


def open_hf(path: Path) -> Checkpoint:
    """Open the directory ``path``; only headers are read.

    Raises:
        InputError: something is missing, truncated or not a checkpoint.
    """
    config = read_json(path / "config.json")
    files = [path / "config.json"]
    if (path / SINGLE).exists():
        entries = read_header(path / SINGLE)
        files.append(path / SINGLE)
    else:
        entries = {}
        where = read_json(path / INDEX).get("weight_map")
        if not isinstance(where, dict) or not where:
            raise InputError(f"{path / INDEX}: no weight_map; fetch it again.")
        shards = sorted(set(where.values()))
        files += [path / INDEX, *(path / shard for shard in shards)]
        for shard in shards:
            entries |= read_header(path / shard)
        if lost := sorted(set(where) ^ set(entries)):
            raise InputError(
                f"{path / INDEX}: tensor {lost[0]} is in the index or in a shard, but"
                " not in both; fetch the checkpoint again."
            )
    checkpoint = Checkpoint(path, entries, config, tuple(files))
    _drop_tied(checkpoint)
    return checkpoint


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in ``path``."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; the directory is not complete.")
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(
            f"{path}: not valid JSON ({error}); fetch it again."
        ) from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold a JSON object; fetch it again.")
    return content


def _drop_tied(checkpoint: Checkpoint) -> None:
    """Leave out the output projection where it repeats the token embedding.

    Merged twice it would count twice in every threshold; loaders tie it again.
    """
    copy, original = TIED
    tied = checkpoint.config.get("tie_word_embeddings", True)
    if not tied or not {copy, original} <= checkpoint.entries.keys():
        return
    if checkpoint.stored(copy).tobytes() != checkpoint.stored(original).tobytes():
        raise InputError(
            f"{checkpoint.path}: {copy} differs from {original}, but config.json ties"
            " them; set tie_word_embeddings to false, or save the model again."
        )
    del checkpoint.entries[copy]


class Writer:
    """Write the tensors of a new directory in the order of ``plan``.

    Args:
        directory: Where to write; it exists.
        plan: Name to header type and shape of every tensor.
        max_shard: Bytes of tensors a file may hold before the next begins.
    """

    def __init__(
        self,
        directory: Path,
        plan: Mapping[str, tuple[str, tuple[int, ...]]],
        max_shard: int = MAX_SHARD,
    ) -> None:
        self._directory = directory
        self._shards = _shards(plan, max_shard)
        self.total = sum(_nbytes(*spec) for spec in plan.values())

    def write(self, tensors: Iterable[tuple[str, Iterable["NDArray[Any]"]]]) -> None:
        """Write ``tensors``: names and pieces of stored bits, in order of the plan."""
        stream = iter(tensors)
        count, where = len(self._shards), {}
        for number, shard in enumerate(self._shards, 1):
            name = (
                SINGLE if count == 1 else f"model-{number:05}-of-{count:05}.safetensors"
            )
            with (self._directory / name).open("wb") as file:
                write_header(file, shard)
                for expected in shard:
                    tensor, pieces = next(stream)
                    if tensor != expected:
                        raise AssertionError(f"planned {expected}, got {tensor}")
                    for bits in pieces:
                        file.write(bits.data)
                    where[tensor] = name
        if count > 1:
            index = {"metadata": {"total_size": self.total}, "weight_map": where}
            (self._directory / INDEX).write_text(json.dumps(index, indent=2) + "\n")


def _nbytes(dtype: str, shape: tuple[int, ...]) -> int:
    return Entry(dtype, shape, Path(), 0).size * itemsize(dtype)


def _shards(
    plan: Mapping[str, tuple[str, tuple[int, ...]]], max_shard: int
) -> list[dict[str, tuple[str, tuple[int, ...]]]]:
    shards: list[dict[str, tuple[str, tuple[int, ...]]]] = [{}]
    filled = 0
    for name, spec in plan.items():
        if shards[-1] and filled + _nbytes(*spec) > max_shard:
            shards.append({})
            filled = 0
        shards[-1][name] = spec
        filled += _nbytes(*spec)
    return shards


def copy_side_files(base: Checkpoint, directory: Path, dtype: str) -> None:
    """Copy what a model needs beside its weights; ``config.json`` states ``dtype``."""
    for file in sorted(base.path.iterdir()):
        if file.suffix in SIDE_FILES and not file.name.endswith(".index.json"):
            shutil.copyfile(file, directory / file.name)
    key = "torch_dtype" if "torch_dtype" in base.config else "dtype"
    config = json.dumps(base.config | {key: dtype}, indent=2, ensure_ascii=False)
    (directory / "config.json").write_text(config + "\n", encoding="utf-8")

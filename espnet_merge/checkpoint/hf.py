"""Hugging Face directories: open one, and write one."""

import json
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from espnet_merge.checkpoint.dtypes import nbytes
from espnet_merge.checkpoint.opened import Checkpoint
from espnet_merge.checkpoint.safetensors import Entry, SafetensorsWriter, read_header
from espnet_merge.checkpoint.torch_read import read_torch, tensors_of
from espnet_merge.errors import InputError
from espnet_merge.files import CONFIG_JSON

if TYPE_CHECKING:
    from numpy.typing import NDArray

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
WEIGHTS = ((SINGLE, INDEX), ("pytorch_model.bin", "pytorch_model.bin.index.json"))
# Configuration, tokenizer and generation files; never weights or an old index.
SIDE_FILES = (".json", ".txt", ".model", ".tiktoken", ".jinja")
MAX_SHARD = 5_000_000_000


def is_hf(path: Path) -> bool:
    """Tell whether the directory ``path`` holds weights under Hugging Face's names."""
    return any((path / name).exists() for pair in WEIGHTS for name in pair)


def open_hf(path: Path) -> Checkpoint:
    """Open the directory ``path``; only headers are read.

    Where there are both ``.safetensors`` and ``.bin``, as on the hub, the first are
    read, as transformers does.

    Raises:
        InputError: something is missing, truncated or not a checkpoint.
    """
    config = read_json(path / CONFIG_JSON)
    single, index = next(
        pair for pair in WEIGHTS if any((path / name).exists() for name in pair)
    )
    if (path / single).exists():
        files = [path / single]
        entries = _read_file(path / single)
    else:
        where = read_json(path / index).get("weight_map")
        if not isinstance(where, dict) or not where:
            raise InputError(f"{path / index}: no weight_map; fetch it again.")
        shards = sorted({_inside(path / index, shard) for shard in where.values()})
        files = [path / index, *(path / shard for shard in shards)]
        entries = {}
        for shard in shards:
            entries |= _read_file(path / shard)
        if lost := sorted(set(where) ^ set(entries)):
            raise InputError(
                f"{path / index}: tensor {lost[0]} is in the index or in a shard, but"
                " not in both; fetch the checkpoint again."
            )
    checkpoint = Checkpoint(path, entries, config, (path / CONFIG_JSON, *files))
    if config.get("tie_word_embeddings", True):
        checkpoint.drop_tied()
    return checkpoint


def _read_file(path: Path) -> dict[str, Entry]:
    if path.suffix == ".safetensors":
        return read_header(path)
    return tensors_of(path, read_torch(path))


def _inside(index: Path, shard: object) -> str:
    """Return the name of a shard, which must lie beside its index."""
    if not isinstance(shard, str) or Path(shard).name != shard:
        raise InputError(
            f"{index}: {shard!r} is no name of a file beside it; fetch it again."
        )
    return shard


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
        shards = _shards(plan, max_shard)
        count = len(shards)
        self._shards = {
            SINGLE if count == 1 else f"model-{i:05}-of-{count:05}.safetensors": shard
            for i, shard in enumerate(shards, 1)
        }
        self._where = {name: file for file, x in self._shards.items() for name in x}
        self._open_file = ExitStack()
        self._current, self._name = self._start(next(iter(self._shards)))
        self.total = sum(nbytes(*spec) for spec in plan.values())

    def __enter__(self) -> Self:
        return self

    def begin(self, name: str) -> None:
        """Go on to the tensor ``name``, the next of the plan."""
        if self._where[name] != self._name:
            self._current, self._name = self._start(self._where[name])
        self._current.begin(name)

    def put(self, bits: "NDArray[Any]") -> None:
        """Write stored bits of the tensor that was begun."""
        self._current.put(bits)

    def _start(self, name: str) -> tuple[SafetensorsWriter, str]:
        """Close the file that is open, and open the file ``name``."""
        self._open_file.close()
        writer = SafetensorsWriter(self._directory / name, self._shards[name])
        return self._open_file.enter_context(writer), name

    def __exit__(self, *_: object) -> None:
        self._open_file.close()
        if len(self._shards) > 1:
            index = {"metadata": {"total_size": self.total}, "weight_map": self._where}
            (self._directory / INDEX).write_text(json.dumps(index, indent=2) + "\n")


def _shards(
    plan: Mapping[str, tuple[str, tuple[int, ...]]], max_shard: int
) -> list[dict[str, tuple[str, tuple[int, ...]]]]:
    shards: list[dict[str, tuple[str, tuple[int, ...]]]] = [{}]
    filled = 0
    for name, spec in plan.items():
        if shards[-1] and filled + nbytes(*spec) > max_shard:
            shards.append({})
            filled = 0
        shards[-1][name] = spec
        filled += nbytes(*spec)
    return shards


def side_files(directory: Path) -> list[Path]:
    """Return the files of a Hugging Face directory that are no weights, by name."""
    return [
        file
        for file in sorted(directory.iterdir())
        if file.suffix in SIDE_FILES and not file.name.endswith(".index.json")
    ]


def copy_side_files(base: Checkpoint, directory: Path, dtype: str) -> None:
    """Copy what a model needs except weights; ``config.json`` states ``dtype``."""
    for file in side_files(base.path):
        shutil.copyfile(file, directory / file.name)
    key = "torch_dtype" if "torch_dtype" in base.config else "dtype"
    config = json.dumps(base.config | {key: dtype}, indent=2, ensure_ascii=False)
    (directory / CONFIG_JSON).write_text(config + "\n", encoding="utf-8")

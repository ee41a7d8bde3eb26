"""Hugging Face directories: open one, and write one."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from espnet_merge.checkpoint.dtypes import nbytes
from espnet_merge.checkpoint.layouts import bare, check_numbers, unwrapped
from espnet_merge.checkpoint.names import PLAIN, TRAINED
from espnet_merge.checkpoint.opened import Checkpoint
from espnet_merge.checkpoint.safetensors import Entry, SafetensorsWriter, read_header
from espnet_merge.checkpoint.torch_read import read_torch, tensors_of
from espnet_merge.errors import InputError
from espnet_merge.files import CONFIG_JSON

if TYPE_CHECKING:
    from numpy.typing import NDArray

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
WEIGHTS = ((SINGLE, INDEX), ("pytorch_model.bin", "pytorch_model.bin.index.json"))
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
    index, *files = weight_files(path)
    entries: dict[str, Entry] = {}
    stored: set[str] = set()
    for file in files or [index]:
        found, names = _read_file(file)
        entries |= found
        stored |= names
    if files and (lost := sorted(_weight_map(index).keys() ^ entries.keys())):
        raise InputError(
            f"{index}: tensor {lost[0]} is in the index or in a shard, but not in both;"
            " fetch the checkpoint again."
        )
    check_numbers(path, config, entries)
    entries = bare(entries)
    read = (path / CONFIG_JSON, index, *files)
    naming = PLAIN if entries.keys() == stored else TRAINED
    checkpoint = Checkpoint(path, entries, config, read, naming=naming)
    if config.get("tie_word_embeddings", True):
        checkpoint.drop_tied()
    return checkpoint


def weight_files(path: Path) -> list[Path]:
    """Return the file of weights in a directory, or the index and then the shards.

    Raises:
        InputError: the index is none.
    """
    single, index = next(
        pair for pair in WEIGHTS if any((path / name).exists() for name in pair)
    )
    if (path / single).exists():
        return [path / single]
    shards = {_inside(path / index, x) for x in _weight_map(path / index).values()}
    return [path / index, *(path / shard for shard in sorted(shards))]


def _weight_map(index: Path) -> dict[str, Any]:
    where = read_json(index).get("weight_map")
    if not isinstance(where, dict) or not where:
        raise InputError(f"{index}: no weight_map; fetch it again.")
    return where


def _read_file(path: Path) -> tuple[dict[str, Entry], set[str]]:
    """Return the weights in a file, and the names of all that is in it."""
    if path.suffix == ".safetensors":
        entries = read_header(path)
        return entries, set(entries)
    content = read_torch(path)
    return tensors_of(path, unwrapped(content)), set(content)


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


def write_config(config: Mapping[str, Any], directory: Path, dtype: str) -> None:
    """Write ``config.json``, which states ``dtype``."""
    key = "torch_dtype" if "torch_dtype" in config else "dtype"
    text = json.dumps({**config, key: dtype}, indent=2, ensure_ascii=False)
    (directory / CONFIG_JSON).write_text(text + "\n", encoding="utf-8")

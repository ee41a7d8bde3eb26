"""Checkpoints on disk: detect the format, read by name, write whole."""

from pathlib import Path

from espnet_merge.checkpoint.adapter import (
    Adapter,
    is_task_adapter,
    open_adapter,
    open_task_adapter,
)
from espnet_merge.checkpoint.espnet import open_espnet
from espnet_merge.checkpoint.hf import is_hf, open_hf
from espnet_merge.checkpoint.layouts import (
    HF_BODY,
    HF_MARK,
    OPENAI_MARK,
    bare,
    check_shard,
    unwrapped,
    what_is_in,
)
from espnet_merge.checkpoint.names import without_training
from espnet_merge.checkpoint.openai import is_openai, open_openai
from espnet_merge.checkpoint.opened import Checkpoint, Format
from espnet_merge.checkpoint.stored import check_stored
from espnet_merge.checkpoint.torch_read import read_torch
from espnet_merge.checkpoint.torch_write import FILES
from espnet_merge.errors import InputError
from espnet_merge.files import ADAPTER_CONFIG, CONFIG_JSON, CONFIG_YAML

READ = (
    "a checkpoint is a Hugging Face directory, a PEFT adapter directory, OpenAI's .pt"
    " or ESPnet's .pth"
)


def holds_weights(directory: Path) -> bool:
    """Return whether a directory holds a model or an adapter."""
    names = (ADAPTER_CONFIG, *FILES.values())
    return is_hf(directory) or any((directory / name).is_file() for name in names)


def open_checkpoint(path: Path) -> Checkpoint:
    """Open the model ``path``, whose format is detected; only headers are read.

    Raises:
        InputError: there is none, it is damaged, or an adapter.
    """
    opened = open_expert(path)
    if isinstance(opened, Adapter):
        raise InputError(
            f"{path}: an adapter is no base; give the model that it was trained on as"
            " --base, and the adapter among --experts."
        )
    return opened


def open_expert(path: Path) -> Checkpoint | Adapter:
    """Open the model or adapter ``path``, whose format is detected.

    Raises:
        InputError: there is none, it is damaged, not what its record says, or of a
            format that is not read.
    """
    if not path.exists():
        raise InputError(f"{path}: no such checkpoint; {READ}.")
    check_stored(path)
    if path.is_file():
        return _open_file(path)
    model, adapter = is_hf(path), (path / ADAPTER_CONFIG).exists()
    if model and adapter:
        raise InputError(
            f"{path}: holds a model and an adapter; keep them in two directories."
        )
    if model:
        return open_hf(path)
    if adapter:
        return open_adapter(path)
    ours = [path / name for name in FILES.values() if (path / name).is_file()]
    if len(ours) == 1:
        return _open_file(ours[0])
    what = _experiment(path) or what_is_in(path, holds_weights)
    raise InputError(f"{path}: {what or f'holds no weights of a known name; {READ}'}.")


def _open_file(path: Path) -> Checkpoint | Adapter:
    if path.suffix == ".safetensors":
        raise InputError(
            f"{path}: a single file; give the directory that holds it and config.json."
        )
    content = read_torch(path)
    state = without_training(bare(unwrapped(content)))
    check_shard(path, state)
    if is_openai(content) or OPENAI_MARK in state:
        return open_openai(path, content.get("dims", {}), state)
    if is_task_adapter(state):
        return open_task_adapter(path, state)
    if HF_BODY + HF_MARK in state and (path.parent / CONFIG_JSON).is_file():
        raise InputError(
            f"{path}: weights of a Hugging Face model; give the directory that holds"
            " them and config.json."
        )
    return open_espnet(path, state)


def _experiment(path: Path) -> str | None:
    files = sorted(file.name for file in path.glob("*.pth"))
    if files and (path / CONFIG_YAML).is_file():
        best = [name for name in files if ".ave." in name] or files
        return f"an ESPnet experiment, give one of its files, such as {best[-1]}"
    return None


__all__ = [
    "Adapter",
    "Checkpoint",
    "Format",
    "holds_weights",
    "open_checkpoint",
    "open_expert",
]

"""Checkpoints on disk: detect the format, read by name, write whole."""

from pathlib import Path

from espnet_merge.checkpoint.hf import INDEX, SINGLE, Checkpoint, open_hf
from espnet_merge.errors import InputError

READ = "this version reads Hugging Face directories with .safetensors"


def open_checkpoint(path: Path) -> Checkpoint:
    """Open the checkpoint ``path``, whose format is detected; only headers are read.

    Raises:
        InputError: there is none, it is damaged, or of a format that is not read.
    """
    if not path.exists():
        raise InputError(f"{path}: no such checkpoint; {READ}.")
    if (path / SINGLE).exists() or (path / INDEX).exists():
        return open_hf(path)
    if (path / "adapter_config.json").exists():
        found = "a PEFT adapter; merge it into its base first"
    elif any(path.glob("*.bin")):
        found = "weights in .bin; save the model again with safetensors"
    elif path.is_file() and path.suffix in (".pt", ".pth", ".bin"):
        found = "a PyTorch file; convert it to a Hugging Face directory"
    elif path.is_file() and path.suffix == ".safetensors":
        found = "a single file; give the directory that holds it and config.json"
    else:
        found = f"no {SINGLE} and no {INDEX} in it"
    raise InputError(f"{path}: {found}; {READ}.")


__all__ = ["Checkpoint", "open_checkpoint"]

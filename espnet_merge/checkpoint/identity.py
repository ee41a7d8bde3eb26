"""What a model is: a digest of its files, or of its weights whatever their format."""

import hashlib
from pathlib import Path

from espnet_merge.checkpoint.adapter import WEIGHTS, Adapter
from espnet_merge.checkpoint.hf import is_hf, weight_files
from espnet_merge.checkpoint.opened import Checkpoint
from espnet_merge.checkpoint.side_files import side_files
from espnet_merge.disk.digest import sha256
from espnet_merge.files import ADAPTER_CONFIG, ROUTER_JSON

# A mixture of LoRA experts, which lora/stored_mixture.py writes and reads.
MIXTURE_CONFIG, MIXTURE_WEIGHTS = "mixture_config.json", "mixture.safetensors"
# Weights of a router between experts, which decode/router.py writes and reads.
ROUTER_WEIGHTS = "router.safetensors"


def model_files(directory: Path) -> list[Path]:
    """Return the files that decide what a model, adapter, mixture or router does.

    Those are weights of every format, configuration, tokenizer and the options of
    generation; not what a training, a fetch or a merge has left beside them.

    Raises:
        InputError: an index of weights is none.
    """
    weights = weight_files(directory) if is_hf(directory) else []
    names = (
        *(ADAPTER_CONFIG, *WEIGHTS),
        *(MIXTURE_CONFIG, MIXTURE_WEIGHTS),
        *(ROUTER_JSON, ROUTER_WEIGHTS),
    )
    others = [directory / name for name in names if (directory / name).is_file()]
    return [*side_files(directory), *weights, *others]


def files_digest(directory: Path) -> str:
    """Return one SHA-256 over names and content of ``model_files``."""
    files = sorted(model_files(directory))
    lines = "".join(f"{file.name} {sha256(file)}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def weights_digest(checkpoint: Checkpoint) -> str:
    """Return the SHA-256 of names and float32 weights, as ``lora.adapter.base_digest``.

    Reads the whole model, one tensor at a time.
    """
    digest = hashlib.sha256()
    for name in sorted(checkpoint.entries):
        digest.update(name.encode())
        digest.update(checkpoint.read(name))
    return digest.hexdigest()


def expert_digest(base: Checkpoint, expert: Checkpoint | Adapter) -> str:
    """Return a digest of the weights of ``expert``; an adapter's are those on ``base``.

    Example:
        >>> from pathlib import Path
        >>> nothing = Checkpoint(Path("x"), {}, {}, ())
        >>> expert_digest(nothing, nothing)[:8]
        'e3b0c442'
    """
    if isinstance(expert, Checkpoint):
        return weights_digest(expert)
    parts = (weights_digest(base), weights_digest(expert.weights), expert.scales)
    return hashlib.sha256(repr(parts).encode()).hexdigest()

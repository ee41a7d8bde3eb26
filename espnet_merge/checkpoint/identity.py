"""What a model is, whatever the format of its files: a digest of its weights."""

import hashlib

from espnet_merge.checkpoint.adapter import Adapter
from espnet_merge.checkpoint.opened import Checkpoint


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

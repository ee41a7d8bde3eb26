"""Configuration of a mixture of LoRA experts; ``mixture_conf`` in training."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from espnet_merge.checkpoint.adapter import Adapter, open_adapter
from espnet_merge.disk.digest import sha256
from espnet_merge.errors import InputError

LEVELS = ("frame", "utterance")


@dataclass(frozen=True, kw_only=True)
class MixtureConf:
    """Configuration of a mixture, except its experts.

    Attributes:
        r: rank of the new adapter; 0 for none: only gates are trained, and the weight
            that would be the new adapter's is that of the base alone.
        lora_alpha: alpha of the new adapter; its delta is scaled by alpha / r.
        gate: ``frame`` computes the weights at each position, ``utterance`` once for an
            utterance, from the mean over the positions of the encoder.
        top_k: number of frozen experts to use, those with the largest weights; None for
            all. The new adapter is always used. With ``frame``, rounding may decide
            between two equal weights.

    Raises:
        InputError: a value of the wrong type, out of range or unknown.
    """

    r: int = 32
    lora_alpha: float = 64
    gate: str = "frame"
    top_k: int | None = None

    def __post_init__(self) -> None:
        if self.gate not in LEVELS:
            raise InputError(
                f"gate of a mixture must be one of {', '.join(LEVELS)}; got "
                f"{self.gate!r}."
            )
        top_k = 1 if self.top_k is None else self.top_k
        for name, value, least in (("r", self.r, 0), ("top_k", top_k, 1)):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InputError(
                    f"{name} of a mixture must be a whole number from {least}; got "
                    f"{value!r}."
                )
        alpha = self.lora_alpha
        if not isinstance(alpha, int | float) or not 0 < alpha < math.inf:
            raise InputError(
                f"lora_alpha of a mixture must be a number above 0; got {alpha!r}."
            )


def open_experts(conf: Mapping[str, Any]) -> tuple[list[Adapter], MixtureConf]:
    """Return the frozen experts of ``mixture_conf``, and the rest of it.

    Args:
        conf: ``adapters``, a list of PEFT directories; optionally ``sha256``, their
            digests by ``experts_sha256``, which are then checked; and the arguments of
            ``MixtureConf``.

    Raises:
        InputError: an argument that a mixture does not take, a wrong value, or an
            adapter that is broken or has changed.
    """
    values = dict(conf)
    paths, digests = values.pop("adapters", []), values.pop("sha256", None)
    if not isinstance(paths, list):
        raise InputError(
            f"mixture_conf.adapters must be a list of directories; got {paths!r}."
        )
    try:
        settings = MixtureConf(**values)
    except TypeError as error:
        raise InputError(
            "mixture_conf takes adapters, r, lora_alpha, gate and top_k; got "
            f"{', '.join(map(str, values))}."
        ) from error
    adapters = [open_adapter(Path(str(path))) for path in paths]
    found = experts_sha256(adapters)
    if digests is not None and digests != found:
        changed = [
            str(path)
            for path, before, now in zip(paths, digests, found, strict=False)
            if before != now
        ]
        raise InputError(
            f"{', '.join(changed or map(str, paths))}: an expert must be the one that "
            "the mixture was trained with; its files have changed: restore them, or "
            "train anew."
        )
    return adapters, settings


def experts_sha256(adapters: Sequence[Adapter]) -> list[str]:
    """Return the digest of the files of each adapter."""
    return [
        hashlib.sha256(" ".join(map(sha256, adapter.files)).encode()).hexdigest()
        for adapter in adapters
    ]

"""A mixture on disk: a directory that does not need the adapters it was made from.

``mixture.safetensors`` holds the concatenated factors of the frozen experts, the new
adapter and the gates. ``mixture_config.json`` holds the ranks, the kind of gate, and
the digest of the base.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import WhisperForConditionalGeneration

from espnet_merge.checkpoint.identity import MIXTURE_CONFIG as CONFIG
from espnet_merge.checkpoint.identity import MIXTURE_WEIGHTS as WEIGHTS
from espnet_merge.errors import InputError
from espnet_merge.lora.adapter import base_digest, check_base
from espnet_merge.lora.mixture import Mixture, build_mixture
from espnet_merge.lora.mixture_conf import MixtureConf

FORMAT = 1
PARTS = ("down", "up", "lora_A", "lora_B", "lora_gate")


def is_mixture(directory: Path) -> bool:
    """Return whether a directory holds a mixture, by its configuration."""
    return (directory / CONFIG).is_file()


def save_mixture(mixture: Mixture, directory: Path) -> None:
    """Write the mixture into an existing directory."""
    weights = {name: part.contiguous() for name, part in _parts(mixture).items()}
    save_file(weights, directory / WEIGHTS, metadata={"format": "pt"})
    config = {
        "format": FORMAT,
        "base_sha256": mixture.base_sha256,
        "experts": mixture.experts,
        **asdict(mixture.conf),
        "ranks": {name: layer.ranks for name, layer in mixture.layers().items()},
    }
    (directory / CONFIG).write_text(json.dumps(config, indent=1) + "\n", "utf-8")


def load_mixture(whisper: WhisperForConditionalGeneration, directory: Path) -> Mixture:
    """Add the mixture of ``directory`` to ``whisper``, frozen.

    Args:
        whisper: the Whisper that it was trained on, in float32; changed in place.
        directory: written by ``save_mixture``.

    Raises:
        InputError: files are missing or broken, it was trained on another base, or its
            tensors do not match the configuration one to one.
    """
    config = _read_config(directory)
    try:
        weights = load_file(directory / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{directory / WEIGHTS}: must be a whole safetensors file; {error}: export "
            "or copy it anew."
        ) from error
    check_base(directory, config["base_sha256"], base_digest(whisper))
    conf = MixtureConf(**{key: config[key] for key in asdict(MixtureConf())})
    mixture = build_mixture(
        whisper, config["ranks"], conf, config["experts"], config["base_sha256"]
    )
    places = _parts(mixture)
    odd = [
        name
        for name in sorted({*places, *weights})
        if name not in places
        or name not in weights
        or places[name].shape != weights[name].shape
    ]
    if odd:
        raise InputError(
            f"{directory}: {WEIGHTS} must hold what {CONFIG} says; {len(odd)} tensors "
            f"differ, first {odd[0]}: export or copy it anew."
        )
    for name, place in places.items():
        place.copy_(weights[name])
    return mixture.requires_grad_(False).eval()


def _parts(mixture: Mixture) -> dict[str, Tensor]:
    """Return every tensor that is not the base's, by its name on disk."""
    return {
        f"{name}.{part}": getattr(layer, part).detach()
        for name, layer in mixture.layers().items()
        for part in PARTS
    }


def _read_config(directory: Path) -> dict[str, Any]:
    path = directory / CONFIG
    try:
        config: dict[str, Any] = json.loads(path.read_text("utf-8"))
        version = config["format"]
        for key in ("base_sha256", "experts", "ranks", *asdict(MixtureConf())):
            config[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: must be the configuration of a mixture; {type(error).__name__} "
            f"{error}: export or copy it anew."
        ) from error
    if version != FORMAT:
        raise InputError(
            f"{path}: format of a mixture must be {FORMAT}; got {version!r}: use the "
            "version of espnet_merge that wrote it."
        )
    return config

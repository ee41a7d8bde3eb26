"""LoRA adapters as experts: PEFT's directories, and those our trainer saves alone."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from espnet_merge.checkpoint.adapter_config import (
    BASE_NAME,
    by_pattern,
    check_known,
    check_plain,
    check_promises,
)
from espnet_merge.checkpoint.espnet import read_config
from espnet_merge.checkpoint.factored import Factored
from espnet_merge.checkpoint.hf import read_json
from espnet_merge.checkpoint.lora_defaults import DEFAULTS
from espnet_merge.checkpoint.opened import Checkpoint
from espnet_merge.checkpoint.safetensors import Entry, read_header, read_metadata
from espnet_merge.checkpoint.torch_read import read_torch, tensors_of
from espnet_merge.errors import InputError
from espnet_merge.files import ADAPTER_CONFIG, ADAPTER_WEIGHTS, CONFIG_YAML

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHTS = (ADAPTER_WEIGHTS, "adapter_model.bin")
# Prefix and suffix that peft adds to the name of a linear layer.
PREFIX = "base_model.model."
FACTOR = re.compile(re.escape(PREFIX) + r"(.+)\.lora_([AB])(?:\.default)?\.weight")
TASK_PREFIX = "network."


@dataclass(frozen=True)
class Adapter:
    """An adapter on disk: two factors for each tensor that it changes.

    Args:
        path: The directory or file as the user named it.
        scales: Name of each tensor that it changes, to the scale of its delta.
        weights: The factors, as ``<name>.A`` and ``<name>.B``.
        files: Every file that was read, for the provenance.
        base_sha256: Digest of the base it was trained on, where it says.
    """

    path: Path
    scales: dict[str, float]
    weights: Checkpoint
    files: tuple[Path, ...]
    base_sha256: str | None = None

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of the delta of ``name``."""
        a, b = (self.weights.entries[f"{name}.{letter}"] for letter in "AB")
        return b.shape[0], a.shape[1]

    def rank(self, name: str) -> int:
        """Return the rank of the factors of ``name``."""
        return self.weights.entries[f"{name}.A"].shape[0]

    def delta(self, name: str, compute: str = "float32") -> Factored:
        """Return the delta of the tensor ``name``, one of ``scales``."""
        a, b = (self._factor(f"{name}.{letter}", compute) for letter in "AB")
        return Factored(b, a, self.scales[name])

    def _factor(self, name: str, compute: str) -> "NDArray[Any]":
        values = self.weights.read(name, compute)
        return values.reshape(self.weights.entries[name].shape)


class Stored(NamedTuple):
    """An adapter in PEFT's directory, which fits its configuration.

    config: Of ``adapter_config.json``.
    entries: Name to place of each tensor, as in the file.
    files: Configuration and weights.
    base_sha256: Digest of the base it was trained on, where it says.
    """

    config: dict[str, Any]
    entries: dict[str, Entry]
    files: tuple[Path, ...]
    base_sha256: str | None


def read_stored(path: Path) -> Stored:
    """Read PEFT's directory ``path`` as far as headers tell; every command does so.

    Raises:
        InputError: it is not whole, no LoRA, or contradicts itself.
    """
    if not (path / ADAPTER_CONFIG).is_file():
        raise InputError(
            f"{path}: a PEFT adapter needs {ADAPTER_CONFIG}; it has none: give the"
            " model/ directory of a LoRA expert."
        )
    config = read_json(path / ADAPTER_CONFIG)
    if (kind := config.get("peft_type")) != "LORA":
        raise InputError(
            f"{path / ADAPTER_CONFIG}: peft_type must be LORA, got {kind!r}; merge it"
            " into its base first."
        )
    file = next((path / name for name in WEIGHTS if (path / name).is_file()), None)
    if file is None:
        raise InputError(f"{path}: a PEFT adapter needs {WEIGHTS[0]}; copy it again.")
    if file.suffix == ".safetensors":
        entries, digest = read_header(file), read_metadata(file).get("base_sha256")
    else:
        entries, digest = tensors_of(file, read_torch(file)), None
    _check(path, config, entries)
    return Stored(config, entries, (path / ADAPTER_CONFIG, file), digest)


def open_adapter(path: Path) -> Adapter:
    """Open PEFT's directory ``path``; only headers are read.

    Raises:
        InputError: it is not whole, contradicts itself, or is no plain LoRA.
    """
    stored = read_stored(path)
    return _build(path, stored.entries, stored.config, stored.files, stored.base_sha256)


def is_task_adapter(content: Mapping[str, Any]) -> bool:
    """Tell whether a ``.pth`` is of our trainer, which saves an adapter alone."""
    return bool(content) and all(
        name.startswith(TASK_PREFIX + PREFIX) and ".lora_" in name for name in content
    )


def open_task_adapter(path: Path, content: Mapping[str, Any]) -> Adapter:
    """Open the file ``path``; rank and alpha are in the ``config.yaml`` beside.

    Raises:
        InputError: there is no such configuration, or no plain LoRA.
    """
    entries = {
        name.removeprefix(TASK_PREFIX): entry
        for name, entry in tensors_of(path, content).items()
    }
    settings = path.parent / CONFIG_YAML
    training = read_config(settings)
    conf = training.get("lora_conf")
    if not isinstance(conf, dict):
        raise InputError(
            f"{settings}: must hold lora_conf, which says the scale of the adapter"
            f" {path.name}; copy it from the experiment."
        )
    config = {**DEFAULTS, **conf, BASE_NAME: training.get("whisper")}
    _check(path, config, entries)
    return _build(path, entries, config, (path, settings), None)


def _check(path: Path, config: Mapping[str, Any], entries: Mapping[str, Entry]) -> None:
    """Raise ``InputError`` where nobody here can tell what the adapter computes."""
    check_known(path, config)
    matches = {name: FACTOR.fullmatch(name) for name in entries}
    ranks = {
        match[1]: entries[name].shape[0]
        for name, match in matches.items()
        if match and match[2] == "A" and entries[name].shape
    }
    check_promises(path, config, ranks, entries)


def _build(
    path: Path,
    entries: Mapping[str, Entry],
    config: Mapping[str, Any],
    files: tuple[Path, ...],
    digest: str | None,
) -> Adapter:
    check_plain(path, config)
    factors: dict[str, Entry] = {}
    for name, entry in entries.items():
        match = FACTOR.fullmatch(name)
        if not match or len(entry.shape) != 2 or not entry.is_float:
            raise InputError(
                f"{path}: {name} of shape {list(entry.shape)} is no factor of a linear"
                " layer; merge this adapter into its base first."
            )
        factors[f"{match[1]}.weight.{match[2]}"] = entry
    scales: dict[str, float] = {}
    for name in sorted({factor[:-2] for factor in factors}):
        a, b = (factors.get(f"{name}.{letter}") for letter in "AB")
        if a is None or b is None or a.shape[0] != b.shape[1] or not a.shape[0]:
            raise InputError(
                f"{path}: tensor {name} needs A (rank, columns) and B (rows, rank);"
                f" got {a and list(a.shape)} and {b and list(b.shape)}: copy it again."
            )
        scales[name] = _scale(path, config, name.removesuffix(".weight"), a.shape[0])
    weights = Checkpoint(path, factors, dict(config), files)
    return Adapter(path, scales, weights, files, digest)


def _scale(path: Path, config: Mapping[str, Any], module: str, rank: int) -> float:
    """Return alpha / r, by pattern where the configuration has some, as peft does."""
    alpha = by_pattern(config.get("alpha_pattern"), module, config.get("lora_alpha"))
    if isinstance(alpha, bool) or not isinstance(alpha, int | float):
        raise InputError(
            f"{path}: lora_alpha must be a number, got {alpha!r}; copy the"
            " configuration that it was trained with."
        )
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)

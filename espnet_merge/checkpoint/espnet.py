"""ESPnet's checkpoints: ``exp/<name>/<n>epoch.pth`` with ``config.yaml`` beside."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from espnet_merge.checkpoint.names import ESPNET_TASK, ESPNET_WHISPER, espnet_naming
from espnet_merge.checkpoint.opened import Checkpoint
from espnet_merge.checkpoint.torch_read import tensors_of
from espnet_merge.errors import InputError
from espnet_merge.files import CONFIG_JSON, CONFIG_YAML

# Attention heads of the sizes that ESPnet's own Whisper is built from, of both sides.
HEADS = {"tiny": 6, "base": 8, "small": 12, "medium": 16, "large": 20, "turbo": 20}


def open_espnet(path: Path, content: Mapping[str, Any]) -> Checkpoint:
    """Open the file ``path``, whose ``content`` was read."""
    tensors = tensors_of(path, content)
    naming = espnet_naming(set(tensors))
    config = read_config(path.parent / CONFIG_YAML)
    if naming is ESPNET_TASK:
        config |= _base_config(config)
    elif naming is ESPNET_WHISPER:
        config |= _heads(config)
    checkpoint = Checkpoint(
        path,
        {naming.read(name): entry for name, entry in tensors.items()},
        config,
        tuple(file for file in (path, path.parent / CONFIG_YAML) if file.is_file()),
        "espnet",
        naming,
    )
    checkpoint.drop_tied()
    return checkpoint


def read_config(path: Path) -> dict[str, Any]:
    """Return the content of ``path``; empty if there is none, as for lone weights."""
    import yaml

    if not path.is_file():
        return {}
    # The loader in C reads the fifty thousand tokens of a Whisper in half a second.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        config = yaml.load(path.read_bytes(), loader)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not valid YAML ({reason}); copy it again.") from None
    if not isinstance(config, dict):
        raise InputError(f"{path}: must be the configuration that ESPnet wrote.")
    return {str(key): value for key, value in config.items()}


def _base_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``config.json`` of the Whisper that training began with, if it is here."""
    path = Path(str(config.get("whisper"))) / CONFIG_JSON
    try:
        base = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(base) if isinstance(base, dict) else {}


def _heads(config: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of heads, which only the name of the size tells."""
    heads: dict[str, int] = {}
    for side in ("encoder", "decoder"):
        name = str((config.get(f"{side}_conf") or {}).get("whisper_model", ""))
        size = name.split(".")[0].split("-")[0]
        if size in HEADS:
            heads[f"{side}_attention_heads"] = HEADS[size]
    return heads

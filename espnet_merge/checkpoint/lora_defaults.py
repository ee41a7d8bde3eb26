"""Defaults of a LoRA adapter, in a file of their own: a merge need not import peft."""

from collections.abc import Mapping
from typing import Any

DEFAULTS: Mapping[str, Any] = {
    "r": 32,
    "lora_alpha": 64,
    "lora_dropout": 0.0,
    "target_modules": ["q_proj", "k_proj", "v_proj", "fc1", "fc2"],
}

# Initialisations that move part of the base into A and B.
MOVES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


def moves_base(conf: Mapping[str, Any]) -> bool:
    """Tell whether the adapter of a configuration starts with a part of the base.

    >>> moves_base({"init_lora_weights": "pissa_niter_4"}), moves_base({"r": 8})
    (True, False)
    """
    return str(conf.get("init_lora_weights")).lower().startswith(MOVES_BASE)

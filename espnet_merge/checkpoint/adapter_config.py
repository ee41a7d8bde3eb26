"""What ``adapter_config.json`` says of an adapter, and whether its file keeps to it.

Source of the names: ``peft.LoraConfig``, up to peft 0.21.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from espnet_merge.checkpoint.lora_defaults import moves_base
from espnet_merge.errors import InputError

# Key by which an adapter's configuration names its base.
BASE_NAME = "base_model_name_or_path"
# PEFT's default, which a configuration may leave out.
RANK = 8
# What a task vector is made by.
SCALE = ("r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora")
# What says where the adapter is, how it began and was trained, or how it is kept: the
# file tells the first, and the others change nothing that it computes.
HARMLESS = (
    *("peft_type", "task_type", "auto_mapping", "peft_version", "inference_mode"),
    *(BASE_NAME, "revision", "runtime_config", "lora_dropout"),
    *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
    *("init_lora_weights", "loftq_config", "eva_config", "corda_config"),
    *("lora_ga_config", "velora_config", "ensure_weight_tying", "megatron_core"),
    "qalora_group_size",
)
# What makes an adapter more, or other, than a sum of B A to each weight, and why.
UNLIKE = {
    "use_dora": "DoRA rescales the weights of the base, so it is no low-rank delta",
    "fan_in_fan_out": "its factors are transposed",
    "layer_replication": "it repeats layers of the base",
    "modules_to_save": "it replaces whole modules",
    "bias": "it changes biases of the base",
    "lora_bias": "it adds biases",
    "trainable_token_indices": "it replaces rows of the token embedding",
    "target_parameters": "it changes parameters that are no linear layer's",
    "megatron_config": "its layers are Megatron's",
    "use_qalora": "it sees averages of its inputs",
    "use_bdlora": "its factors are block-diagonal",
    "kasa_config": "it changes singular values of the base",
    "monteclora_config": "its factors are drawn",
    "alora_invocation_tokens": "it acts behind certain tokens alone",
    "arrow_config": "what it does depends on its inputs",
}
# Of these, what needs more than a model that is given audio and tokens.
NEEDS_MORE = ("alora_invocation_tokens", "arrow_config")
# Option -> a part of the names of tensors that it promises, beside the two factors.
PROMISED = {"bias": ".bias", "lora_bias": "lora_B.bias", "use_dora": "magnitude_vector"}


def is_on(config: Mapping[str, Any], key: str) -> bool:
    """Return whether an option says anything: ``bias`` says "none" for nothing.

    >>> is_on({"use_dora": False}, "use_dora"), is_on({"bias": "all"}, "bias")
    (False, True)
    """
    return bool(config.get(key)) and config[key] != "none"


def check_known(path: Path, config: Mapping[str, Any]) -> None:
    """Check that an adapter can be understood: by what is known, and by any command.

    Options of a newer peft are no harm where they are off.

    Raises:
        InputError: an option is on that may change what the adapter computes, nobody
            here knows how, or that needs more than audio and tokens.
    """
    for key in config:
        if key in (*SCALE, *HARMLESS) or not is_on(config, key):
            continue
        if key in NEEDS_MORE:
            raise InputError(
                f"{path}: {key}={config[key]!r}: {UNLIKE[key]}, which no command here"
                " tells it; train an adapter without it."
            )
        if key not in UNLIKE:
            raise InputError(
                f"{path}: {key}={config[key]!r} is no option of an adapter that is"
                " known here, so it may compute something else; merge it into its base"
                " with the peft that wrote it, and use the result as expert."
            )


def check_promises(
    path: Path,
    config: Mapping[str, Any],
    ranks: Mapping[str, int],
    names: Iterable[str],
) -> None:
    """Check that the weights are those that the configuration describes.

    Args:
        path: The adapter, for messages.
        config: What it says of itself.
        ranks: Module to the rank of its factors in the file.
        names: Of all tensors in the file.

    Raises:
        InputError: a rank is another one, or something promised is not there.
    """
    for module, found in ranks.items():
        stated = by_pattern(config.get("rank_pattern"), module, config.get("r", RANK))
        if stated != found:
            raise InputError(
                f"{path}: its configuration states rank {stated} of {module}, its"
                f" weights have {found}: they are not of one adapter; copy it again."
            )
    held = [f".{name}" for name in names]
    promised = {key: [part] for key, part in PROMISED.items() if is_on(config, key)}
    if is_on(config, "modules_to_save"):
        promised["modules_to_save"] = [f".{x}." for x in config["modules_to_save"]]
    for key, parts in promised.items():
        for part in parts:
            if not any(part in name for name in held):
                raise InputError(
                    f"{path}: {key}={config[key]!r} promises more than its weights"
                    f" hold: no tensor has {part.strip('.')} in its name; train or"
                    " copy it anew."
                )


def check_plain(path: Path, config: Mapping[str, Any]) -> None:
    """Raise ``InputError`` where an adapter is no low-rank delta of its base."""
    reasons = [reason for key, reason in UNLIKE.items() if is_on(config, key)]
    if moves_base(config):
        init = config["init_lora_weights"]
        reasons.append(f"init_lora_weights={init} moves part of the base into it")
    if reasons:
        raise InputError(
            f"{path}: not a plain LoRA adapter: {reasons[0]}; merge it into its base"
            " with peft first, and use the result as expert."
        )


def by_pattern(patterns: object, module: str, value: Any) -> Any:  # noqa: ANN401
    """Return what the first pattern that fits a module gives it, as peft does.

    >>> by_pattern({"fc1": 4}, "model.encoder.layers.0.fc1", 2)
    4
    >>> by_pattern(None, "model.encoder.layers.0.fc1", 2)
    2
    """
    if isinstance(patterns, Mapping):
        for pattern, own in patterns.items():
            if re.match(rf"(.*\.)?({pattern})$", module):
                return own
    return value

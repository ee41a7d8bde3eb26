"""Write a trained checkpoint as a Hugging Face or PEFT directory.

ESPnet is not imported: its import takes longer than an export, and a recipe exports
every expert.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from espnet_merge.card.card import write_card
from espnet_merge.card.provenance import provenance_of
from espnet_merge.checkpoint import Checkpoint, open_checkpoint
from espnet_merge.checkpoint.agree import check_same_model
from espnet_merge.checkpoint.espnet import read_config
from espnet_merge.checkpoint.labels import KEY, format_in
from espnet_merge.checkpoint.names import without_training
from espnet_merge.checkpoint.origin import source_of
from espnet_merge.checkpoint.output import Output, copy_weights, dtype_of
from espnet_merge.checkpoint.padding import padding_in
from espnet_merge.checkpoint.stored import sizes_of
from espnet_merge.checkpoint.torch_read import read_torch
from espnet_merge.disk.atomic import check_output, whole_directory
from espnet_merge.disk.digest import sha256
from espnet_merge.errors import InputError
from espnet_merge.files import CONFIG_YAML, EXPORT_YAML

if TYPE_CHECKING:
    from torch import nn

# Options of training that name the adapter it started from.
WARM_START = ("init_adapter", "init_adapter_sha256")


def export(checkpoint: Path, output: Path, *, overwrite: bool = False) -> None:
    """Write the model of ``checkpoint``; ``config.yaml`` is in the same directory.

    Raises:
        InputError: a file is missing or broken, or ``output`` exists.
    """
    check_output(output, overwrite=overwrite, mark=EXPORT_YAML)
    for file in (checkpoint.parent / CONFIG_YAML, checkpoint):
        if not file.is_file():
            raise InputError(
                f"{file}: an experiment needs this file; train it first, or name "
                "another --checkpoint."
            )
    config = read_config(checkpoint.parent / CONFIG_YAML)
    base = open_checkpoint(Path(str(config.get("whisper"))))
    mixture = config.get("mixture_conf")
    with whole_directory(output, EXPORT_YAML, overwrite=overwrite) as directory:
        if mixture:
            _write_mixture(checkpoint, base, mixture, directory)
        elif config.get("lora"):
            _write_adapter(checkpoint, base, config, directory)
        else:
            write_model(checkpoint, base, directory)
        origin = {
            "checkpoint": str(checkpoint),
            "sha256": sha256(checkpoint),
            KEY: format_in(config),
            "base": source_of(base.path, {x.name: sha256(x) for x in base.files}),
            **sizes_of(directory),
        }
        if padding := padding_in(config):
            origin |= padding._asdict()
        origin |= {name: config[name] for name in WARM_START if config.get(name)}
        (directory / EXPORT_YAML).write_text(yaml.safe_dump(origin), encoding="utf-8")
        write_card(directory, provenance_of(origin, directory))


def write_model(checkpoint: Path, base: Checkpoint, directory: Path) -> None:
    """Write the weights under Hugging Face's names, with the base's other files.

    Raises:
        InputError: they are not of the model that ``base`` is.
    """
    trained = open_checkpoint(checkpoint)
    check_same_model(base, [trained])
    output = Output("hf", [base])
    copy_weights(trained, output, directory)
    output.copy_side_files(directory, dtype_of(trained))


def _write_adapter(
    checkpoint: Path, base: Checkpoint, config: dict[str, Any], directory: Path
) -> None:
    from espnet_merge.lora.adapter import add_adapter, save_adapter
    from espnet_merge.whisper.model import load_whisper

    model = add_adapter(
        load_whisper(base.path), config["lora_conf"], max_trainable_share=1.0
    )
    _take_trained(checkpoint, model)
    save_adapter(model, directory, format_in(config))


def _take_trained(checkpoint: Path, model: "nn.Module") -> None:
    """Load the trainable parameters from the checkpoint; they must match one to one."""
    import torch

    from espnet_merge.checkpoint.adapter import TASK_PREFIX

    read_torch(checkpoint)  # an InputError if the file is damaged
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    weights = {
        name.removeprefix(TASK_PREFIX): value
        for name, value in without_training(state).items()
    }
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    if odd := sorted(trained ^ set(weights)):
        raise InputError(
            f"{checkpoint}: must hold the {len(trained)} tensors that "
            f"{CONFIG_YAML} beside it describes; {len(odd)} differ, first {odd[0]}: "
            "restore the two as they were trained."
        )
    model.load_state_dict(weights, strict=False)  # without the base


def _write_mixture(
    checkpoint: Path, base: Checkpoint, conf: dict[str, Any], directory: Path
) -> None:
    from espnet_merge.lora.mixture import add_mixture
    from espnet_merge.lora.mixture_conf import open_experts
    from espnet_merge.lora.stored_mixture import save_mixture
    from espnet_merge.whisper.model import load_whisper

    mixture = add_mixture(load_whisper(base.path), *open_experts(conf))
    _take_trained(checkpoint, mixture)
    save_mixture(mixture, directory)

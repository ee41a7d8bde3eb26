"""Write a trained checkpoint as a Hugging Face or PEFT directory."""

import argparse
import hashlib
import pickle
import shutil
from pathlib import Path

import torch
import yaml

from espnet_merge.checkpoint.atomic import check_output, whole_directory
from espnet_merge.checkpoint.hf import side_files
from espnet_merge.errors import InputError
from espnet_merge.lora.adapter import save_adapter
from espnet_merge.tasks.whisper import WhisperModel, WhisperTask

# What was exported: marks the directory as a result that may be replaced.
PROVENANCE = "export.yaml"


def export(checkpoint: Path, output: Path, *, overwrite: bool = False) -> None:
    """Write the model of ``checkpoint``, whose ``config.yaml`` lies beside it.

    Raises:
        InputError: a file is missing or broken, or ``output`` exists.
    """
    check_output(output, overwrite=overwrite, mark=PROVENANCE)
    model, base = _load(checkpoint)
    with whole_directory(output) as part:
        if model.has_adapter:
            save_adapter(model.network, part)
        else:
            model.whisper.save_pretrained(part)
            # Tokenizer and generation settings are the base's, byte for byte:
            # transformers rewrites the latter and drops what it does not know.
            for file in side_files(base):
                if file.name != "config.json":
                    shutil.copyfile(file, part / file.name)
        with checkpoint.open("rb") as weights:
            digest = hashlib.file_digest(weights, "sha256").hexdigest()
        origin = {"checkpoint": str(checkpoint), "sha256": digest}
        (part / PROVENANCE).write_text(yaml.safe_dump(origin), encoding="utf-8")


def _load(checkpoint: Path) -> tuple[WhisperModel, Path]:
    config = checkpoint.parent / "config.yaml"
    for file in (config, checkpoint):
        if not file.is_file():
            raise InputError(
                f"{file}: an experiment needs this file; train it first, or name "
                "another --checkpoint."
            )
    args = argparse.Namespace(**yaml.safe_load(config.read_text("utf-8")))
    model = WhisperTask.build_model(args)
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(
            f"{checkpoint}: must be a whole file of weights; {error}: train it anew."
        ) from error
    model.load_state_dict(state)
    return model, Path(args.whisper)

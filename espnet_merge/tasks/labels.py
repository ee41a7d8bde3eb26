"""Checks of the label format: a training must not mix formats of two versions."""

import argparse
import logging
from pathlib import Path

from espnet_merge.checkpoint.espnet import read_config
from espnet_merge.checkpoint.labels import KEY, format_in, label_warnings
from espnet_merge.errors import InputError
from espnet_merge.files import CONFIG_YAML
from espnet_merge.tasks.trainer import CHECKPOINT, LAST


def check_labels(args: argparse.Namespace) -> None:
    """Raise ``InputError`` if a resumed training began with another label format."""
    output = Path(args.output_dir)
    if not args.resume or not any((output / x).exists() for x in (CHECKPOINT, LAST)):
        return
    begun, now = format_in(read_config(output / CONFIG_YAML)), getattr(args, KEY)
    if begun != now:
        raise InputError(
            f"{output}: a training must end on the labels that it began on; it began "
            f"with {KEY} {begun}, now it is {now}: move it away, and train anew."
        )


def warn_of_older(args: argparse.Namespace) -> None:
    """Log a warning if a training starts from a model with an older label format.

    Args:
        args: of ``WhisperTask``, after the model is built; they then name all models
            that were loaded.
    """
    names = [args.whisper, args.init_adapter, *args.mixture_conf.get("adapters", [])]
    for warning in label_warnings([Path(name) for name in names if name]):
        logging.warning(warning)

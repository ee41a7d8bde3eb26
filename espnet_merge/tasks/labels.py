"""Labels of today and of older versions, which one training must not mix."""

import argparse
import logging
from pathlib import Path

from espnet_merge.checkpoint.espnet import read_config
from espnet_merge.checkpoint.labels import KEY, format_in, label_warnings
from espnet_merge.errors import InputError
from espnet_merge.files import CONFIG_YAML
from espnet_merge.tasks.trainer import CHECKPOINT, LAST


def check_labels(args: argparse.Namespace) -> None:
    """Raise ``InputError`` where a training is taken up on labels of another format."""
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
    """Log a warning where a training starts from a model of older labels.

    Args:
        args: of ``WhisperTask``, after the model is built: what is loaded has a name.
    """
    names = [args.whisper, args.init_adapter, *args.mixture_conf.get("adapters", [])]
    for warning in label_warnings([Path(name) for name in names if name]):
        logging.warning(warning)

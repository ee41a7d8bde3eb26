"""Checks of training audio that ESPnet does not make."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path

from soundfile import LibsndfileError

from espnet_merge.data.audio import AudioError, whisper_length
from espnet_merge.data.table import read_table
from espnet_merge.errors import InputError

REMEDY = "run espnet-merge format and filter first"


def check_first_recordings(args: argparse.Namespace) -> None:
    """Raise ``InputError`` unless the first recordings are 16 kHz mono.

    ESPnet itself checks that all recordings have the same rate, but not which.

    Args:
        args: options of a training, which name its data files.
    """
    for path, _, kind in [
        *args.train_data_path_and_name_and_type,
        *args.valid_data_path_and_name_and_type,
    ]:
        if kind == "sound":
            name, audio = next(iter(read_table(Path(path)).items()), ("", ""))
            try:
                whisper_length(Path(audio))
            except AudioError as error:
                raise InputError(
                    f"{path}: {name}: audio must be one channel at 16000 Hz; {audio}: "
                    f"{error}: {REMEDY}."
                ) from error


@contextlib.contextmanager
def readable_audio() -> Iterator[None]:
    """Raise ``InputError`` if any process fails to read a recording."""
    try:
        yield
    except LibsndfileError as error:
        # An error from a process of ESPnet's loader carries nothing but its code.
        message = " ".join(str(part) for part in reversed(error.args) if part)
        raise InputError(
            f"audio must be a readable wav or flac file; {message}: {REMEDY}."
        ) from error

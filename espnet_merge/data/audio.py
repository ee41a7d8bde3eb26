"""Decode any audio to what Whisper hears: 16 kHz, one channel, 16 bits."""

import io

import av
import numpy as np
from numpy.typing import NDArray

from espnet_merge.errors import InputError

SAMPLE_RATE = 16_000


def decode(
    content: bytes, where: str, container: str | None = None
) -> NDArray[np.int16]:
    """Return the samples of an audio file.

    Args:
        content: the file.
        where: its name, for messages.
        container: FFmpeg's name of the format, for files without a header.

    Raises:
        InputError: it cannot be decoded.
    """
    resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE)
    pieces: list[NDArray[np.int16]] = []
    try:
        with av.open(io.BytesIO(content), format=container) as file:
            for frame in file.decode(audio=0):
                pieces += [part.to_ndarray()[0] for part in resampler.resample(frame)]
            pieces += [part.to_ndarray()[0] for part in resampler.resample(None)]
    except (av.error.FFmpegError, IndexError) as error:
        raise InputError(f"{where}: must be audio; {error}.") from error
    if not pieces:
        raise InputError(f"{where}: must hold audio; it holds none.")
    return np.concatenate(pieces)

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
    frames = av.AudioFifo()
    pieces: list[NDArray[np.int16]] = []
    try:
        with av.open(io.BytesIO(content), format=container) as file:
            for frame in file.decode(audio=0):
                # The next sample is the next, whatever the file says of times.
                frame.pts = None
                frames.write(frame)
        # All at once: a call for each frame would take longer than decoding it.
        whole = frames.read()
        if whole is not None:
            for last in (whole, None):
                pieces += [part.to_ndarray()[0] for part in resampler.resample(last)]
    except (av.error.FFmpegError, IndexError, ValueError) as error:
        # A ValueError: its rate or channels change on the way.
        raise InputError(f"{where}: must be audio; {error}.") from error
    if not pieces:
        raise InputError(f"{where}: must hold audio; it holds none.")
    return np.concatenate(pieces)

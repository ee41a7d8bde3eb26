"""Log-mel features of one utterance, padded to Whisper's window or not at all."""

import functools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from espnet_merge.data.audio import flaw
from espnet_merge.errors import InputError
from espnet_merge.speech import SAMPLE_RATE, WINDOW, check_seconds

if TYPE_CHECKING:
    from transformers import WhisperFeatureExtractor

HOP = 160  # samples from one mel frame to the next
MIN_SAMPLES = 2 * HOP  # shorter audio would give the encoder no position


def log_mel(
    audio: NDArray[np.floating],
    *,
    n_mels: int,
    pad_to: float = WINDOW,
    tail: float = 0.0,
) -> NDArray[np.float32]:
    """Return Whisper's log-mel spectrogram, frames first.

    Args:
        audio: Samples in [-1, 1] at 16 kHz, shape (samples,).
        n_mels: 80, or 128 for large-v3.
        pad_to: Seconds of audio to pad to with silence; 30 is how Whisper was
            trained, 0 keeps the true length.
        tail: Seconds of silence to append first. Silence after the last word tells
            Whisper to stop; without it Whisper loops.

    Returns:
        Array of shape (frames, n_mels); 100 frames per second, an even number.

    Raises:
        InputError: the audio is not one channel, shorter than 20 ms, longer than
            30 s, not finite or far louder than 1, or ``pad_to`` or ``tail`` is outside
            [0, 30].
    """
    check_seconds("pad_to", pad_to)
    check_seconds("tail", tail)
    if audio.ndim != 1:
        raise InputError(
            f"audio must have one channel, shape (samples,); got shape {audio.shape}: "
            "mix it down first."
        )
    limit = int(WINDOW * SAMPLE_RATE)
    if not MIN_SAMPLES <= audio.shape[0] <= limit:
        raise InputError(
            f"audio must last 0.02 to {WINDOW:g} seconds; got "
            f"{audio.shape[0] / SAMPLE_RATE:.2f}: filter or segment it first."
        )
    if why := flaw(audio):
        raise InputError(
            f"audio must be sound in [-1, 1]; it has {why}: run espnet-merge format "
            "first, which notes that."
        )
    padded = np.zeros(frames_of(audio.shape[0], pad_to, tail) * HOP, np.float32)
    padded[: audio.shape[0]] = audio
    extractor = _extractor(n_mels)
    features = extractor(
        padded, sampling_rate=SAMPLE_RATE, padding="do_not_pad", return_tensors="np"
    )
    mel: NDArray[np.float32] = features["input_features"][0].T
    return np.ascontiguousarray(mel, dtype=np.float32)


def frames_of(samples: int, pad_to: float, tail: float) -> int:
    """Return the number of mel frames of so many samples, padded.

    It is even, because the strided second convolution halves the frames.

    >>> frames_of(16_001, pad_to=0, tail=0)
    102
    """
    samples = max(samples + int(tail * SAMPLE_RATE), int(pad_to * SAMPLE_RATE))
    return min(-(-samples // (2 * HOP)) * 2, int(WINDOW * SAMPLE_RATE) // HOP)


@functools.cache
def _extractor(n_mels: int) -> "WhisperFeatureExtractor":
    # Imported late: it takes seconds, and --help does not need it.
    from transformers import WhisperFeatureExtractor

    return WhisperFeatureExtractor(feature_size=n_mels)

"""Log-mel features of one utterance, padded to Whisper's window or true length."""

import functools

import numpy as np
from numpy.typing import NDArray
from transformers import WhisperFeatureExtractor

from espnet_merge.errors import InputError

SAMPLE_RATE = 16_000
HOP = 160  # samples from one mel frame to the next
WINDOW = 30.0  # seconds; the encoder has positions for no more
MIN_SAMPLES = 2 * HOP  # shorter than this, the encoder would see no frame


def log_mel(
    audio: NDArray[np.floating], *, n_mels: int, pad_to: float = WINDOW
) -> NDArray[np.float32]:
    """Return Whisper's log-mel spectrogram, frames first.

    Args:
        audio: Samples in [-1, 1] at 16 kHz, shape (samples,).
        n_mels: 80, or 128 for large-v3.
        pad_to: Seconds of audio to pad to with silence; 30 is how Whisper was
            trained, 0 keeps the true length.

    Returns:
        Array of shape (frames, n_mels), 100 frames a second, an even number.

    Raises:
        InputError: the audio is not one channel, shorter than 20 ms, longer than
            30 s, or ``pad_to`` is outside [0, 30].
    """
    check_pad_to(pad_to)
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
    samples = max(audio.shape[0], int(pad_to * SAMPLE_RATE))
    # The strided second convolution halves the frames: keep their number even.
    samples = min(-(-samples // (2 * HOP)) * 2 * HOP, limit)
    padded = np.zeros(samples, np.float32)
    padded[: audio.shape[0]] = audio
    extractor = _extractor(n_mels)
    features = extractor(
        padded, sampling_rate=SAMPLE_RATE, padding="do_not_pad", return_tensors="np"
    )
    mel: NDArray[np.float32] = features["input_features"][0].T
    return np.ascontiguousarray(mel, dtype=np.float32)


def check_pad_to(pad_to: float) -> None:
    """Raise ``InputError`` unless 0 <= ``pad_to`` <= 30 seconds."""
    if not 0 <= pad_to <= WINDOW:
        raise InputError(
            f"pad_to must be 0 (true length) to {WINDOW:g} seconds (Whisper's "
            f"window); got {pad_to:g}."
        )


@functools.cache
def _extractor(n_mels: int) -> WhisperFeatureExtractor:
    return WhisperFeatureExtractor(feature_size=n_mels)

"""Cutting recordings longer than Whisper's window into segments, in pauses of speech.

silero-vad detects speech; its model is part of its package. Two numbers of each frame
are kept in memory, which is 0.9 MB per hour of audio.
"""

import functools
import warnings
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from espnet_merge.decode.utterances import Utterance, read_audio
from espnet_merge.speech import SAMPLE_RATE, WINDOW

FRAME = 512  # samples (32 ms); the detector takes no other number
BLOCK = 1000 * FRAME  # samples that are in memory at a time
PAD = 200  # ms kept on both sides of speech, so that no weak sound is lost
# Samples. A longer pause is left out, because Whisper invents text in it.
PAUSE = 2 * SAMPLE_RATE
SMOOTH = 5  # frames over which the power is averaged

type Span = tuple[int, int]


class Frames(NamedTuple):
    """Speech and power of each frame of 32 ms.

    Attributes:
        speech: probability that somebody speaks.
        power: mean square of the samples.
    """

    speech: "array[float]"
    power: "array[float]"


def cut(utterances: Iterable[Utterance], tail: float = 0.0) -> list[Utterance]:
    """Cut utterances that are longer than Whisper's window into segments.

    Args:
        utterances: utterances of any length.
        tail: seconds of silence that follow each segment. Segment and silence together
            fit into the window, unless the silence takes more than half of it.

    Returns:
        Segments of at most 30 s each, in order; an utterance of up to 30 s is one
        segment. A long recording without speech has none, nor has an utterance with a
        defect.

    Raises:
        InputError: a long file is not what its header says, or holds NaN.
    """
    longest = int(max(WINDOW - tail, WINDOW / 2) * SAMPLE_RATE)
    return [
        segment
        for utterance in utterances
        if not utterance.defect
        for segment in (
            [utterance]
            if utterance.seconds <= WINDOW
            else _segments(utterance, longest)
        )
    ]


def spans(speech: Sequence[Span], power: Sequence[float], longest: int) -> list[Span]:
    """Join spans of speech up to a length, and cut those that are longer.

    Spans are joined over pauses of at most two seconds. A span without a pause is cut
    where it is quietest in the second half of the allowed length.

    Args:
        speech: first sample of each span of speech and the one after its last,
            ascending.
        power: mean square of each frame.
        longest: samples in a segment, at most.

    Returns:
        The same of each segment.
    """
    segments: list[Span] = []
    for start, end in speech:
        if segments:
            previous_start, previous_end = segments[-1]
            if start - previous_end <= PAUSE and end - previous_start <= longest:
                segments.pop()
                start = previous_start
        while end - start > longest:
            cut_at = _quietest(power, start + longest // 2, start + longest)
            segments.append((start, cut_at))
            start = cut_at
        segments.append((start, end))
    return segments


def detect_speech(utterance: Utterance) -> Frames:
    """Return speech and power of every frame, with one block in memory at a time.

    Raises:
        InputError: the file is not what its header says, or holds NaN.
    """
    detector = _detector()
    detector.reset_states()
    frames = Frames(array("f"), array("f"))
    for block in _blocks(utterance):
        audio = read_audio(block)
        audio = np.pad(audio, (0, -len(audio) % FRAME)).reshape(-1, FRAME)
        frames.power.extend(np.square(audio).mean(-1))
        with torch.inference_mode():
            frames.speech.extend(
                detector(frame, SAMPLE_RATE).item() for frame in torch.from_numpy(audio)
            )
    return frames


def _segments(utterance: Utterance, longest: int) -> Iterator[Utterance]:
    from silero_vad import get_speech_timestamps_from_probs

    frames = detect_speech(utterance)
    timestamps = get_speech_timestamps_from_probs(
        frames.speech, speech_pad_ms=PAD, audio_length_samples=utterance.samples
    )
    speech = [(span["start"], span["end"]) for span in timestamps]
    for start, end in spans(speech, frames.power, longest):
        yield utterance._replace(start=start, samples=end - start)


def _blocks(utterance: Utterance) -> Iterator[Utterance]:
    for start in range(0, utterance.samples, BLOCK):
        left = utterance.samples - start
        yield utterance._replace(start=start, samples=min(BLOCK, left))


def _quietest(power: Sequence[float], start: int, end: int) -> int:
    """Return the sample in the middle of the quietest frames between two samples."""
    first = -(-start // FRAME)
    smooth = np.convolve(power[first : end // FRAME], np.ones(SMOOTH), "valid")
    return (first + int(smooth.argmin())) * FRAME + SMOOTH * FRAME // 2


@functools.cache
def _detector() -> torch.jit.ScriptModule:
    threads = torch.get_num_threads()
    from silero_vad import load_silero_vad

    torch.set_num_threads(threads)  # silero-vad sets it to one for the whole process
    with warnings.catch_warnings():
        # The packaged model is TorchScript, which torch has deprecated.
        warnings.simplefilter("ignore", FutureWarning)
        detector: torch.jit.ScriptModule = load_silero_vad()
    return detector

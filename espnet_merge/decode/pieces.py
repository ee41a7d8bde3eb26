"""Recordings longer than Whisper's window, in pieces cut where nobody speaks.

silero-vad tells where there is speech; its model comes with its package. Memory grows
by the two numbers kept of each frame, 0.9 MB an hour.
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
PAUSE = (
    2 * SAMPLE_RATE
)  # samples; a longer pause is left out, for Whisper invents there
SMOOTH = 5  # frames over which loudness is averaged

type Span = tuple[int, int]


class Frames(NamedTuple):
    """What is known of each frame of 32 ms.

    speech: probability that somebody speaks.
    power: mean square of the samples.
    """

    speech: "array[float]"
    power: "array[float]"


def cut(utterances: Iterable[Utterance], tail: float = 0.0) -> list[Utterance]:
    """Return what fits into Whisper's window as it is, and the rest in pieces.

    Args:
        utterances: of any length.
        tail: seconds of silence that follow each piece; they fit into the window, too,
            unless they take more than half of it.

    Returns:
        At most 30 s each, in order; none of a long recording without speech, and none
        of what has a defect.

    Raises:
        InputError: a long file is not what its header says, or holds NaN.
    """
    longest = int(max(WINDOW - tail, WINDOW / 2) * SAMPLE_RATE)
    return [
        piece
        for utterance in utterances
        if not utterance.defect
        for piece in (
            [utterance] if utterance.seconds <= WINDOW else _pieces(utterance, longest)
        )
    ]


def spans(spoken: Sequence[Span], power: Sequence[float], longest: int) -> list[Span]:
    """Join stretches of speech up to a length, and cut those that are longer.

    Stretches are joined over pauses of at most two seconds. Speech without a pause is
    cut where it is quietest in the second half of the length allowed.

    Args:
        spoken: first sample of each stretch and the one after its last, ascending.
        power: mean square of each frame.
        longest: samples in a piece, at most.
    """
    pieces: list[Span] = []
    for start, end in spoken:
        if pieces:
            begin, stop = pieces[-1]
            if start - stop <= PAUSE and end - begin <= longest:
                pieces.pop()
                start = begin
        while end - start > longest:
            place = _quietest(power, start + longest // 2, start + longest)
            pieces.append((start, place))
            start = place
        pieces.append((start, end))
    return pieces


def listen(utterance: Utterance) -> Frames:
    """Return speech and loudness of every frame, with one block in memory at a time.

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


def _pieces(utterance: Utterance, longest: int) -> Iterator[Utterance]:
    from silero_vad import get_speech_timestamps_from_probs

    frames = listen(utterance)
    spoken = get_speech_timestamps_from_probs(
        frames.speech, speech_pad_ms=PAD, audio_length_samples=utterance.samples
    )
    stretches = [(stretch["start"], stretch["end"]) for stretch in spoken]
    for start, end in spans(stretches, frames.power, longest):
        yield utterance._replace(start=start, samples=end - start)


def _blocks(utterance: Utterance) -> Iterator[Utterance]:
    for start in range(0, utterance.samples, BLOCK):
        left = utterance.samples - start
        yield utterance._replace(start=start, samples=min(BLOCK, left))


def _quietest(power: Sequence[float], start: int, end: int) -> int:
    """Return the sample amid the quietest frames between two samples."""
    first = -(-start // FRAME)
    smooth = np.convolve(power[first : end // FRAME], np.ones(SMOOTH), "valid")
    return (first + int(smooth.argmin())) * FRAME + SMOOTH * FRAME // 2


@functools.cache
def _detector() -> torch.jit.ScriptModule:
    threads = torch.get_num_threads()
    from silero_vad import load_silero_vad

    torch.set_num_threads(threads)  # silero-vad sets it to one for the whole process
    with warnings.catch_warnings():
        # The packaged model is TorchScript, which torch wants to leave behind.
        warnings.simplefilter("ignore", FutureWarning)
        detector: torch.jit.ScriptModule = load_silero_vad()
    return detector

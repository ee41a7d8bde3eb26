"""What systems make of a recording, and where that differs."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from espnet_merge.data.audio import AudioError, read_blocks, write_flac
from espnet_merge.decode.utterances import Utterance
from espnet_merge.errors import InputError
from espnet_merge.listening.systems import Heard, System
from espnet_merge.report.examples import Edits, join_correct
from espnet_merge.score.evaluate import aligned, main_metric
from espnet_merge.score.utterances import ScoredUtterance
from espnet_merge.speech import TRANSLATE


def recorded(content: bytes, folder: Path, language: str, task: str) -> Utterance:
    """Write a recording of any format as Whisper hears it.

    Raises:
        InputError: it is no audio, or empty.
    """
    given, file = folder / "given", folder / "recording.flac"
    given.write_bytes(content)
    try:
        samples = write_flac(file, read_blocks(given))
    except AudioError as error:
        raise InputError(
            f"a recording must be audio of a known format; this is {error}: record it"
            " again, or drop a WAV, FLAC, MP3 or Ogg file."
        ) from error
    return Utterance("recording", file, samples, language, task)


def listen(
    systems: Sequence[System], recording: Utterance, reference: str
) -> Iterator[tuple[Heard, Edits, str]]:
    """Yield what each system hears, and how that differs from the reference.

    Args:
        systems: in the order in which they are asked.
        recording: what they hear.
        reference: what was said; if empty, what the first system hears.

    Yields:
        The text, its alignment, and what stands between the tokens of it.
    """
    for system in systems:
        heard = system.hear(recording)
        reference = reference or heard.text
        language = "en" if recording.task == TRANSLATE else heard.language
        yield (heard, *differences(reference, heard.text, language))


def differences(reference: str, text: str, language: str) -> tuple[Edits, str]:
    """Return the alignment of two texts, and what stands between their tokens.

    >>> differences("uno dos tres", "uno tres", "es")
    (['uno', ('dos', None), 'tres'], ' ')
    """
    metric = main_metric({language: 1})
    pair = ScoredUtterance("", "", language, reference, text)
    [(_, pairs)] = aligned([pair], metric)
    return join_correct(pairs, metric), " " if metric == "wer" else ""

"""``result.txt`` as ESPnet's recipes have it: sclite's table, then each alignment."""

import functools
import re
import shutil
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TextIO

from espnet_merge.scoring.counts import Counts, Pair

_ALIGNMENT = re.compile(
    r"^id: \((.*)\)  speaker: .*\nScores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)$",
    re.MULTILINE,
)
_COLUMNS = "# Snt # Wrd | Corr    Sub    Del    Ins    Err  S.Err |"


class Result:
    """A ``result.txt`` in the making: its table comes first, and is known last.

    Args:
        waiting: file for the alignments, so that memory does not grow with them.
    """

    def __init__(self, waiting: TextIO) -> None:
        """Begin without an utterance."""
        self._speakers: defaultdict[str, Counts] = defaultdict(Counts)
        self._waiting = waiting

    def add(
        self, name: str, speaker: str, pairs: Sequence[Pair], counts: Counts
    ) -> None:
        """Add an utterance, its alignment and the counts in it."""
        self._speakers[speaker] += counts
        for line in alignments([(name, speaker, pairs, counts)]):
            self._waiting.write(f"{line}\n")

    def write(self, title: str, file: TextIO) -> None:
        """Write all of it."""
        file.writelines(f"{line}\n" for line in summary(title, self._speakers))
        self._waiting.seek(0)
        shutil.copyfileobj(self._waiting, file)


def summary(title: str, speakers: Mapping[str, Counts]) -> Iterator[str]:
    """Yield the table of percentages by speaker, and the total under it.

    The line that begins with ``| Sum/Avg`` is the one that ESPnet's
    ``show_asr_result.sh`` reads.
    """
    width = max(len("Sum/Avg"), *map(len, speakers))
    inner = width + len(_COLUMNS) + 3
    yield title
    yield ""
    yield f",{'-' * inner}."
    yield f"| {'SPKR':{width}} | {_COLUMNS}"
    yield f"|{'-' * inner}|"
    for speaker, counts in sorted(speakers.items()):
        yield _row(f"{speaker:{width}}", counts)
    yield f"|{'=' * inner}|"
    yield _row(f"{'Sum/Avg':{width}}", sum(speakers.values(), Counts()))
    yield f"`{'-' * inner}'"


def _row(name: str, counts: Counts) -> str:
    # A speaker with empty references only has no rates, like a total of nothing.
    words = counts.reference or float("nan")
    shares = [
        100 * part / words
        for part in (
            counts.correct,
            counts.substitutions,
            counts.deletions,
            counts.insertions,
            counts.errors,
        )
    ]
    shares.append(100 * counts.wrong_sentences / counts.sentences)
    columns = " ".join(f"{share:6.1f}" for share in shares)
    return f"| {name} | {counts.sentences:5} {counts.reference:6} |{columns[1:]} |"


def alignments(
    utterances: Iterable[tuple[str, str, Sequence[Pair], Counts]],
) -> Iterator[str]:
    """Yield id, counts and the three aligned lines of every utterance.

    Args:
        utterances: id, speaker, alignment and its counts.
    """
    for name, speaker, pairs, counts in utterances:
        yield ""
        yield f"id: ({name})  speaker: {speaker}"
        yield (
            f"Scores: (#C #S #D #I) {counts.correct} {counts.substitutions} "
            f"{counts.deletions} {counts.insertions}"
        )
        columns = [_column(ours, theirs) for ours, theirs in pairs]
        for row, label in enumerate(("REF: ", "HYP: ", "Eval:")):
            yield " ".join([label, *(column[row] for column in columns)]).rstrip()


def read_counts(text: str) -> dict[str, Counts]:
    """Return the counts of every utterance in a ``result.txt``."""
    counts = {}
    for name, *numbers in _ALIGNMENT.findall(text):
        correct, substitutions, deletions, insertions = map(int, numbers)
        wrong = substitutions + deletions + insertions > 0
        counts[name] = Counts(
            correct, substitutions, deletions, insertions, 1, int(wrong)
        )
    return counts


# Most columns are of frequent words; so many take a few megabytes.
@functools.lru_cache(maxsize=2**15)
def _column(ours: str | None, theirs: str | None) -> tuple[str, str, str]:
    if ours == theirs:
        error = ""
    elif ours is None:
        error = "I"
    elif theirs is None:
        error = "D"
    else:
        error = "S"
    cells = (_shown(ours), _shown(theirs), error)
    width = max(map(_width, cells))
    left, right, mark = (cell + " " * (width - _width(cell)) for cell in cells)
    return left, right, mark


def _shown(token: str | None) -> str:
    if token is None:
        return "*"
    return "<space>" if token == " " else token


def _width(text: str) -> int:
    """Return the columns of a terminal that the text takes."""
    return sum(
        0
        if unicodedata.category(c) == "Mn"
        else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )

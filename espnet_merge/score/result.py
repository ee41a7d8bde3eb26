"""``result.txt`` as in ESPnet's recipes: sclite's table, then all alignments."""

import functools
import re
import shutil
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TextIO

from espnet_merge.score.counts import Counts, Pair

_ALIGNMENT = re.compile(
    r"^id: \((.*)\)  speaker: .*\nScores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)$",
    re.MULTILINE,
)
_COLUMNS = "# Snt # Wrd | Corr    Sub    Del    Ins    Err  S.Err |"


class Result:
    """Collects a ``result.txt``, whose table comes first but is complete last.

    Args:
        waiting: temporary file for the alignments, so that they take no memory.
    """

    def __init__(self, waiting: TextIO) -> None:
        """Begin without utterances."""
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
        """Write the table and the alignments."""
        file.writelines(f"{line}\n" for line in summary(title, self._speakers))
        self._waiting.seek(0)
        shutil.copyfileobj(self._waiting, file)


def summary(title: str, speakers: Mapping[str, Counts]) -> Iterator[str]:
    """Yield the lines of the table of percentages by speaker, with the total.

    ESPnet's ``show_asr_result.sh`` reads the line that begins with ``| Sum/Avg``.
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
    # A speaker whose references are all empty has no rates; nor has an empty total.
    words = counts.reference or float("nan")
    percentages = [
        100 * part / words
        for part in (
            counts.correct,
            counts.substitutions,
            counts.deletions,
            counts.insertions,
            counts.errors,
        )
    ]
    percentages.append(100 * counts.wrong_sentences / counts.sentences)
    columns = " ".join(f"{percentage:6.1f}" for percentage in percentages)
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


# Most columns are of frequent words. A cache of this size takes a few megabytes.
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
    """Return the number of terminal columns that the text takes."""
    return sum(
        0
        if unicodedata.category(c) == "Mn"
        else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )

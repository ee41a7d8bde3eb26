"""Confusion of spoken and identified languages, with the error rate of each cell."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from espnet_merge.errors import InputError
from espnet_merge.score.counts import Counts
from espnet_merge.score.utterances import ScoredUtterance

# Spoken language -> identified language -> what ``_cell`` returns.
type Confusion = dict[str, dict[str, dict[str, Any]]]


def confusion(
    identified: Mapping[str, str], counted: Iterable[tuple[ScoredUtterance, Counts]]
) -> Confusion:
    """Return the confusion matrix of languages, with the errors in each cell.

    Args:
        identified: language that the model identified, or name of the adapter that was
            chosen, by the utterance's name.
        counted: the utterances, with the errors in each.
    """
    cells: dict[str, dict[str, Counts]] = defaultdict(lambda: defaultdict(Counts))
    for utterance, counts in counted:
        cells[utterance.spoken][identified[utterance.name]] += counts
    return {
        spoken: {language: _cell(row[language]) for language in sorted(row)}
        for spoken, row in sorted(cells.items())
    }


def heard_right(table: Confusion) -> float:
    """Return in how many utterances the language that was spoken was heard, in percent.

    >>> cell = {"utterances": 3}, {"utterances": 1}
    >>> heard_right({"es": {"es": cell[0], "it": cell[1]}, "it": {"it": cell[1]}})
    80.0
    """
    rows = [
        (spoken == language, cell["utterances"])
        for spoken, row in table.items()
        for language, cell in row.items()
    ]
    right = sum(utterances for is_right, utterances in rows if is_right)
    return float(100 * right / sum(utterances for _, utterances in rows))


def check_named(
    hypothesis: Path,
    utterances: Iterable[ScoredUtterance],
    identified: Mapping[str, str],
) -> None:
    """Raise ``InputError`` unless a language was identified in every utterance.

    Args:
        hypothesis: directory with ``text.json``.
        utterances: of the set.
        identified: language by the utterance's name.
    """
    if missing := [u.name for u in utterances if u.name not in identified]:
        raise InputError(
            f"{hypothesis}/text.json: must name the language that was identified in "
            f"each utterance, as other systems' do; lacks {len(missing)} "
            f"({missing[0]}): decode all systems with the same --language."
        )


def describe_row(
    spoken: str, row: Mapping[str, Mapping[str, Any]], verb: str = "is heard as"
) -> str:
    """Return one row of the confusion matrix as a line of text.

    >>> describe_row("es", {"es": {"utterances": 8, "rate": 9.0},
    ...                     "it": {"utterances": 2, "rate": None}})
    'es is heard as es 8 (9.0 %), it 2 (–)'
    """
    cells = ", ".join(
        f"{language} {describe_cell(cell)}" for language, cell in row.items()
    )
    return f"{spoken} {verb} {cells}"


def describe_cell(cell: Mapping[str, Any]) -> str:
    """Return the number of utterances and their error rate, as text."""
    rate = "–" if cell["rate"] is None else f"{cell['rate']:.1f} %"
    return f"{cell['utterances']} ({rate})"


def _cell(counts: Counts) -> dict[str, Any]:
    return {
        "utterances": counts.sentences,
        "errors": counts.errors,
        "reference": counts.reference,
        # References without text have no error rate.
        "rate": counts.rate if counts.reference else None,
    }

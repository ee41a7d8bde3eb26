"""Which languages were heard in which, and what it costs to hear the wrong one."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from espnet_merge.errors import InputError
from espnet_merge.scoring.counts import Counts
from espnet_merge.scoring.utterances import Utterance

# Spoken language -> language that was heard -> what ``cell`` returns.
type Confusion = dict[str, dict[str, dict[str, Any]]]


def confusion(
    heard: Mapping[str, str], counted: Iterable[tuple[Utterance, Counts]]
) -> Confusion:
    """Return the table of spoken and heard languages, with the errors in each cell.

    Args:
        heard: language that was identified in each utterance, by its name.
        counted: the utterances, with the errors in each.
    """
    cells: dict[str, dict[str, Counts]] = defaultdict(lambda: defaultdict(Counts))
    for utterance, counts in counted:
        cells[utterance.spoken][heard[utterance.name]] += counts
    return {
        spoken: {language: _cell(row[language]) for language in sorted(row)}
        for spoken, row in sorted(cells.items())
    }


def check_named(
    hypothesis: Path, utterances: Iterable[Utterance], heard: Mapping[str, str]
) -> None:
    """Raise ``InputError`` where no language was identified in an utterance.

    Args:
        hypothesis: directory with ``text.json``.
        utterances: of the set.
        heard: language by the utterance's name.
    """
    if missing := [u.name for u in utterances if u.name not in heard]:
        raise InputError(
            f"{hypothesis}/text.json: must name the language that was identified in "
            f"each utterance, as other systems' do; lacks {len(missing)} "
            f"({missing[0]}): decode all systems with the same --language."
        )


def describe_row(spoken: str, row: Mapping[str, Mapping[str, Any]]) -> str:
    """Say in a line what was heard in a language.

    >>> describe_row("es", {"es": {"utterances": 8, "rate": 9.0},
    ...                     "it": {"utterances": 2, "rate": None}})
    'es is heard as es 8 (9.0 %), it 2 (–)'
    """
    cells = ", ".join(f"{heard} {describe_cell(cell)}" for heard, cell in row.items())
    return f"{spoken} is heard as {cells}"


def describe_cell(cell: Mapping[str, Any]) -> str:
    """Return utterances, and the error rate in them."""
    rate = "–" if cell["rate"] is None else f"{cell['rate']:.1f} %"
    return f"{cell['utterances']} ({rate})"


def _cell(counts: Counts) -> dict[str, Any]:
    return {
        "utterances": counts.sentences,
        "errors": counts.errors,
        "reference": counts.reference,
        # Of references without text there is no rate.
        "rate": counts.rate if counts.reference else None,
    }

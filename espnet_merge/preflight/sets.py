"""The sets of a run as they are before the filter, judged by their headers alone."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from espnet_merge.data.filter import CountTokens, choose, judge
from espnet_merge.data.kaldi import Tables, read_formatted
from espnet_merge.data.limits import Limits
from espnet_merge.data.report import Report
from espnet_merge.files import WAV_SCP
from espnet_merge.installation import Finding
from espnet_merge.speech import SAMPLE_RATE

TRAIN, VALID, TEST = "train", "valid", "test"
SHOWN, LETTERS = 3, 40  # examples of a finding, and of the text of each
REMEDIES = {
    "no text": "write their texts, or leave them out of the corpus",
    "unknown language": "correct utt2lang; 'espnet-merge language' adds a language",
    "unknown task": "correct utt2task: transcribe or translate",
    "too many tokens": "cut the recordings into shorter utterances",
    "too short": "check their times in segments, or lower --min_train_seconds",
    "too long": "raise --max_train_seconds (30 at most), or cut them into segments",
}
BROKEN = "look at the recordings; 'espnet-merge format' says what is wrong with each"


class Checked(NamedTuple):
    """A set of a run.

    Attributes:
        name: of its directory.
        split: train, valid or test.
        tables: of its utterances.
        report: which of them can be used, with their samples, and why others cannot.
    """

    name: str
    split: str
    tables: Tables
    report: Report

    def example(self, name: str) -> str:
        """Return the name of an utterance with its text, cut."""
        text = self.tables["text"].get(name, "")
        return f"{name} {text if len(text) <= LETTERS else text[:LETTERS] + '…'!r}"


def read_set(
    data: Path,
    split: str,
    limits: Limits,
    count_tokens: CountTokens,
    known: Collection[str],
) -> Checked:
    """Return a set; its audio is not decoded.

    Args:
        data: directory that ``espnet-merge format`` wrote.
        split: train, valid or test.
        limits: of the filter; nothing of a test set is dropped for what it is.
        count_tokens: counts the tokens of a text, a language and a task.
        known: codes of the base's languages.

    Raises:
        InputError: the directory is broken.
    """
    tables = read_formatted(data)
    names = tables[WAV_SCP]
    if split == TEST:
        chosen = choose(names, limits.max_utterances)
        names = {name: audio for name, audio in names.items() if name in chosen}
    report = Report.of(
        {
            name: judge(name, tables, limits, count_tokens, known, decode=False)
            for name in names
        }
    )
    if split != TEST:
        kept = choose(report.kept, limits.max_utterances)
        report.kept = {name: report.kept[name] for name in report.kept if name in kept}
    return Checked(data.name, split, tables, report)


def usable(sets: Sequence[Checked]) -> Iterator[Finding]:
    """Yield how much of each split is usable, and a finding for each reason."""
    for one in sets:
        if not one.report.kept:
            why = ", ".join(f"{len(n)} {why}" for why, n in one.report.dropped.items())
            yield Finding(
                one.name,
                "wrong",
                f"no utterance is usable ({why or 'it is empty'})",
                "mend the corpus, local/data.sh or the limits",
            )
    for split in (TRAIN, VALID, TEST):
        own = [one for one in sets if one.split == split]
        lengths = [n for one in own for n in one.report.kept.values()]
        hours = sum(lengths) / SAMPLE_RATE / 3600
        yield Finding(
            f"usable in {split}", "ok", f"{len(lengths)} utterances, {hours:.2f} hours"
        )
        total = len(lengths) + sum(len(n) for o in own for n in _dropped(o))
        for reason in sorted({why for one in own for why in one.report.dropped}):
            hits = [
                one.example(name)
                for one in own
                for name in one.report.dropped.get(reason, ())
            ]
            then = "scored as they are" if split == TEST else "dropped by stage 5"
            yield note(
                f"{reason} in {split}",
                hits,
                total,
                f"{then}; {REMEDIES.get(reason, BROKEN)}",
            )


def note(name: str, hits: Sequence[str], total: int, remedy: str) -> Finding:
    """Return what was found: how many of how many, examples, and what to do.

    >>> print(note("too short in train", ["es-1 'no'"], 40, "cut them anew"))
    note    too short in train                1 of 40: es-1 'no'; cut them anew
    """
    if not hits:
        return Finding(name, "ok", f"0 of {total}")
    more = ", …" if len(hits) > SHOWN else ""
    shown = ", ".join(hits[:SHOWN])
    return Finding(name, "note", f"{len(hits)} of {total}: {shown}{more}", remedy)


def _dropped(one: Checked) -> list[list[str]]:
    return list(one.report.dropped.values())

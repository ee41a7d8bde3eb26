"""How many utterances of a data directory were kept or dropped, and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from espnet_merge.errors import InputError
from espnet_merge.speech import SAMPLE_RATE


@dataclass
class Report:
    """Usable utterances with their numbers of samples, and the others by reason."""

    kept: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, verdicts: Mapping[str, int | str]) -> Self:
        """Build a report from the number of samples, or defect, of each utterance."""
        report = cls()
        for name, verdict in verdicts.items():
            if isinstance(verdict, int):
                report.kept[name] = verdict
            else:
                report.drop(name, verdict)
        return report

    def drop(self, name: str, why: str) -> None:
        """Record that an utterance is unusable."""
        self.kept.pop(name, None)
        self.dropped.setdefault(why, []).append(name)

    def check(self, data: Path) -> None:
        """Raise ``InputError`` if no utterance of ``data`` is usable."""
        if not self.kept:
            counts = [f"{len(names)} {why}" for why, names in self.dropped.items()]
            raise InputError(
                f"{data}: at least one utterance must be usable; none is "
                f"({', '.join(counts) or 'the directory is empty'})."
            )

    def table(self, usable: str = "kept") -> Iterator[str]:
        """Yield the lines of the table; ``usable`` is the label of the first line."""
        minutes = sum(self.kept.values()) / SAMPLE_RATE / 60
        yield f"{usable:22}{len(self.kept):7}{minutes:8.1f} min"
        yield from reasons(self.dropped)


def reasons(dropped: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield a line for each reason: how many were dropped, and the first of them."""
    for reason, names in sorted(dropped.items()):
        more = ", ..." if len(names) > 3 else ""
        yield f"{reason:22}{len(names):7}   {', '.join(names[:3])}{more}"

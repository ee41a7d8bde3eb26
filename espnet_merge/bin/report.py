"""Write RESULTS.md, report.html, results.json and pictures from the scores of systems.

Reads EXPDIR/<system>/inference_<mode>/<set>/score.json. The pictures and the table
that is printed show the first mode; RESULTS.md and report.html have all of them.
report.html is one page that needs no network: it also holds what each system made of
the worst utterances, and their audio. The data directories that were scored against,
and the audio in their wav.scp, are looked for where they were then, from here.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espnet_merge.errors import InputError
from espnet_merge.options import AnyPath, Option, Options, as_words

if TYPE_CHECKING:
    from espnet_merge.report.files import Report


def _expert(text: str) -> tuple[str, str]:
    group, equals, system = text.partition("=")
    if not (group and equals and system):
        raise InputError(
            f"--experts takes GROUP=SYSTEM such as es=full_es; got {text!r}."
        )
    return group, system


def _groups(words: Sequence[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for word in words:
        name, equals, sets = word.partition("=")
        if not (name and equals) or name in groups:
            raise InputError(
                "--group takes NAME=SET,SET such as es=es_test, each name once; got "
                f"{word!r}."
            )
        groups[name] = sets.split(",") if sets else []
    return groups


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Write a report of the scores of systems."""

    expdir: Annotated[AnyPath, Option("directory of the systems")]
    base: Annotated[str, Option("the untrained model's system", metavar="SYSTEM")]
    base_inference: Annotated[
        str | None,
        Option(
            "decoding mode of the base, if not that of the others: Whisper as it was "
            "published needs padding",
            metavar="MODE",
        ),
    ] = None
    group: Annotated[
        Mapping[str, Sequence[str]],
        Option(
            "what experts are trained for, such as a language or a domain, and its "
            "test sets, none after NAME= alone; sets of no group show what was "
            "forgotten",
            nargs="+",
            action="extend",
            metavar="NAME=SET,SET",
            read=_groups,
        ),
    ] = field(default_factory=dict)
    experts: Annotated[
        Sequence[str],
        Option(
            "experts; the first of a group is the yardstick of its sets",
            nargs="*",
            metavar="GROUP=SYSTEM",
        ),
    ] = ()
    joint: Annotated[
        Sequence[str],
        Option("systems trained on all groups together", nargs="*", metavar="SYSTEM"),
    ] = ()
    merges: Annotated[
        Sequence[str],
        Option("systems merged from experts", nargs="*", metavar="SYSTEM"),
    ] = ()
    sets: Annotated[
        Sequence[str], Option("test sets, each named <language>_…", metavar="SET")
    ]
    inference: Annotated[
        Sequence[str],
        Option("decoding modes, inference_<mode>; the first is main", metavar="MODE"),
    ]
    output: Annotated[
        AnyPath | None,
        Option(
            "where RESULTS.md, report.html, results.json and images/ go",
            default="the expdir",
            metavar="DIR",
        ),
    ] = None
    inspect: Annotated[
        AnyPath | None,
        Option(
            "what 'espnet-merge inspect' wrote, for report.html",
            default="EXPDIR/inspect, if there",
            metavar="DIR",
        ),
    ] = None
    utterances: Annotated[
        int,
        Option("utterances of each set in report.html, worst first", metavar="N"),
    ] = 100
    clips: Annotated[
        float,
        Option(
            "megabytes of audio in report.html, worst utterances first; 0: none",
            metavar="MB",
        ),
    ] = 8.0

    def __call__(self) -> "Report":
        """Write the report."""
        from espnet_merge.report.files import write_report
        from espnet_merge.report.plan import Plan

        expdir = Path(self.expdir)
        plan = Plan(
            base=self.base,
            experts=[_expert(text) for text in self.experts],
            joint=self.joint,
            merges=self.merges,
            sets=self.sets,
            groups=self.group,
        )
        return write_report(
            plan,
            expdir,
            Path(self.output) if self.output else expdir,
            self.inference,
            command=shlex.join(["espnet-merge", "report", *as_words(self)]),
            base_mode=self.base_inference,
            inspect=Path(self.inspect) if self.inspect else None,
            utterances=self.utterances,
            megabytes=self.clips,
        )


def main(command: Command) -> None:
    """Write the report, print the main table."""
    print(command())

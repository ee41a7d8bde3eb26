r"""Write RESULTS.md, report.html, results.json and pictures from the scores of systems.

Reads EXPDIR/<system>/inference_<mode>/<set>/score.json. The pictures and the printed
table show the first mode; RESULTS.md and report.html show all modes. report.html is one
page that needs no network. It also holds each system's hypotheses of the worst
utterances, and their audio. The data directories that were scored against are read from
their recorded paths; relative paths start from the current directory.

With --runs DIR… it writes runs.html instead: the error rates of systems by runs, with
intervals, and the configurations that differ.

For example:
  espnet-merge report --expdir exp --base zero_shot --group es=es_test it=it_test \
    --experts es=full_es it=full_it --merges soup --sets es_test it_test \
    --inference padded
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espnet_merge.bin._groups import GROUP
from espnet_merge.errors import InputError
from espnet_merge.options import AnyPath, Option, Options, as_words

if TYPE_CHECKING:
    from espnet_merge.report.files import Report
    from espnet_merge.report.run_page import Comparison


def _expert(text: str) -> tuple[str, str]:
    group, equals, system = text.partition("=")
    if not (group and equals and system):
        raise InputError(
            f"--experts takes GROUP=SYSTEM such as es=full_es; got {text!r}."
        )
    return group, system


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Write a report of the scores of systems."""

    runs: Annotated[
        Sequence[AnyPath],
        Option(
            "expdirs to compare in one page, runs.html, in place of a report of one",
            nargs="+",
            metavar="DIR",
        ),
    ] = ()
    expdir: Annotated[
        AnyPath | None, Option("directory of the systems (required without --runs)")
    ] = None
    base: Annotated[
        str | None,
        Option(
            "system of the untrained model (required without --runs)", metavar="SYSTEM"
        ),
    ] = None
    base_inference: Annotated[
        str | None,
        Option(
            "decoding mode of the base, if it has its own: the published Whisper needs "
            "padding",
            metavar="MODE",
        ),
    ] = None
    group: Annotated[Mapping[str, Sequence[str]], GROUP] = field(default_factory=dict)
    experts: Annotated[
        Sequence[str],
        Option(
            "experts; the sets of a group are compared with its first expert",
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
    routed: Annotated[
        Sequence[str],
        Option(
            "systems that route between experts, the others of them compared with the "
            "first; 'routed' is by the group of each set, which users may not know",
            nargs="*",
            metavar="SYSTEM",
        ),
    ] = ()
    sets: Annotated[
        Sequence[str],
        Option(
            "test sets, each named <language>_… (required without --runs)",
            metavar="SET",
        ),
    ] = ()
    inference: Annotated[
        Sequence[str],
        Option(
            "decoding modes, inference_<mode>; the first is the main one (required "
            "without --runs)",
            metavar="MODE",
        ),
    ] = ()
    output: Annotated[
        AnyPath | None,
        Option(
            "directory for RESULTS.md, report.html, results.json and images/",
            default="the expdir; of --runs, this directory",
            metavar="DIR",
        ),
    ] = None
    inspect: Annotated[
        AnyPath | None,
        Option(
            "output of 'espnet-merge inspect', to show in report.html",
            default="EXPDIR/inspect, if it exists",
            metavar="DIR",
        ),
    ] = None
    running: Annotated[
        bool,
        Option("say that more scores will come; report.html then reloads itself"),
    ] = False
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

    def __call__(self) -> "Report | Comparison":
        """Write the report."""
        from espnet_merge.report.files import write_report
        from espnet_merge.report.plan import Plan
        from espnet_merge.report.run_page import compare_runs

        if self.runs:
            places = [Path(run) for run in self.runs]
            return compare_runs(places, Path(self.output or "."))
        if not (self.expdir and self.base and self.sets and self.inference):
            raise InputError(
                "a report needs --expdir, --base, --sets and --inference; --runs "
                "compares several runs without them."
            )
        expdir = Path(self.expdir)
        plan = Plan(
            base=self.base,
            experts=[_expert(text) for text in self.experts],
            joint=self.joint,
            merges=self.merges,
            routed=self.routed,
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
            running=self.running,
            utterances=self.utterances,
            megabytes=self.clips,
        )


def main(command: Command) -> None:
    """Write the report, and print the main table."""
    print(command())

"""What 'card' and 'push' have in common: a model, and what was measured of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espnet_merge.options import AnyPath, Option, Options

if TYPE_CHECKING:
    from espnet_merge.card.scores import Evidence

Model = Annotated[
    AnyPath,
    Option("directory that merge or export wrote", positional=True, metavar="MODEL"),
]


def _benchmarks(words: Sequence[str]) -> dict[str, str]:
    return {name: place for name, _, place in (word.partition("=") for word in words)}


@dataclass(frozen=True, kw_only=True)
class Measured(Options):
    """What the card states."""

    scores: Annotated[
        AnyPath | None,
        Option("decoded and scored sets, exp/SYSTEM/inference_MODE", metavar="DIR"),
    ] = None
    baseline: Annotated[
        AnyPath | None,
        Option(
            "the same of the base, to test what was forgotten, as 'espnet-merge gate'",
            metavar="DIR",
        ),
    ] = None
    margin: Annotated[
        float, Option("allowed rise of error rates", metavar="POINTS")
    ] = 0.0
    benchmarks: Annotated[
        Mapping[str, str],
        Option(
            "sets that are benchmarks of the hub, to be listed there: .eval_results",
            metavar="SET=OWNER/DATASET/TASK",
            nargs="+",
            read=_benchmarks,
        ),
    ] = field(default_factory=dict)
    license: Annotated[
        str | None,
        Option(
            "licence of the model, by the hub's name for it",
            default="follows from those of base and experts",
            metavar="NAME",
        ),
    ] = None

    def write_benchmarks(self, evidence: "Evidence", model: Path) -> None:
        """Write what the hub lists of the scores."""
        from espnet_merge.card.benchmarks import write_benchmarks

        write_benchmarks(model, evidence.scores, self.benchmarks)

    def evidence(self) -> "Evidence":
        """Return what was measured."""
        from espnet_merge.card.scores import Evidence
        from espnet_merge.errors import InputError

        if self.scores:
            from espnet_merge.report.evidence import read_evidence

            baseline = Path(self.baseline) if self.baseline else None
            return read_evidence(Path(self.scores), baseline, self.margin)
        if self.baseline:
            raise InputError("--baseline needs --scores, which it is compared with.")
        return Evidence()

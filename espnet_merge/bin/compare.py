r"""Compare systems on test sets, and say which differences are significant.

Compares all pairs of systems, or each system with --baseline. Prints for each set both
error rates, their difference in points with its bootstrap interval, and the p-values of
a paired permutation test and of MAPSSWE, each after Holm's correction over the sets.
With --metric bleu or chrf it prints both scores, and the p-values of a paired
permutation test and of the paired bootstrap, as in sacreBLEU. The hypotheses of DATADIR
are in DIR/<name of DATADIR>/text, or with one DATADIR in DIR/text.

For example:
  espnet-merge compare --ref dump/raw/es_test dump/raw/it_test \
    --baseline exp/zero_shot/inference_padded --hyp exp/tsv_m/inference_as_trained

docs/scoring.md says what is counted and what is tested.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espnet_merge.options import AnyPath, Option, part
from espnet_merge.score.design import Design, Texts

if TYPE_CHECKING:
    from espnet_merge.score.comparison import Comparison


@dataclass(frozen=True, kw_only=True)
class Command(Texts, Design):
    """Compare systems on test sets."""

    hyp: Annotated[
        Sequence[AnyPath], Option("directories of the systems", metavar="DIR")
    ]
    baseline: Annotated[
        AnyPath | None, Option("compare only with this system", metavar="DIR")
    ] = None
    json: Annotated[bool, Option("print JSON, with all digits")] = False

    def __call__(self) -> "Comparison":
        """Compare and test."""
        from espnet_merge.score.comparison import compare

        return compare(
            part(self, Texts),
            [Path(system) for system in self.hyp],
            part(self, Design),
            Path(self.baseline) if self.baseline else None,
        )


def main(command: Command) -> None:
    """Compare and print."""
    found = command()
    if command.json:
        print(json.dumps(found.record(), indent=1, ensure_ascii=False))
    else:
        print(found)

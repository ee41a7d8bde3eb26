r"""Exit with 3 if a candidate is significantly worse than a baseline, else with 0.

A set, a language or task in it, or the identification of languages has fallen if its
error rate rose significantly by more than --margin points. The test is a one-sided
paired permutation test with p < --alpha, after Holm's correction over all tests. So a
candidate that is no worse anywhere fails with a probability of at most --alpha. The
hypotheses of DATADIR are in DIR/<name of DATADIR>/text; a missing set is bad input,
exit status 2; 1 is a fault of this program.

For example:
  espnet-merge gate --ref dump/raw/es_test dump/raw/it_test \
    --baseline exp/released/inference_padded --candidate exp/tsv_m/inference_padded
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espnet_merge.options import AnyPath, Option, part
from espnet_merge.score.design import Design, Texts
from espnet_merge.score.evaluate import ERROR_RATES

if TYPE_CHECKING:
    from espnet_merge.score.gate import Verdict

WORSE = 3  # exit status; 1 is also that of a crash


@dataclass(frozen=True, kw_only=True)
class Command(Texts, Design):
    """Test whether a candidate is significantly worse than a baseline."""

    baseline: Annotated[AnyPath, Option("system to compare with", metavar="DIR")]
    candidate: Annotated[AnyPath, Option("system to test", metavar="DIR")]
    margin: Annotated[
        float, Option("allowed rise of the error rate", metavar="POINTS")
    ] = 0.0
    metric: Annotated[
        str | None,
        Option(
            "error rate to test",
            default="cer for languages without spaces between words, else wer",
            choices=ERROR_RATES,
        ),
    ] = None

    def __call__(self) -> "Verdict":
        """Test the candidate."""
        from espnet_merge.score.gate import judge

        design = replace(part(self, Design), margin=self.margin)
        places = Path(self.baseline), Path(self.candidate)
        return judge(part(self, Texts), *places, design)


def main(command: Command) -> None:
    """Print every test, and exit with 3 if the candidate has fallen."""
    verdict = command()
    print(verdict)
    if verdict.fallen:
        sys.exit(WORSE)

r"""Exit with 1 where a candidate is significantly worse than a baseline, else with 0.

A set, a language or task in it, or the identification of languages has fallen when
its error rate rose by more than --margin points: a paired permutation test on one
side, p < --alpha after Holm's correction over everything that is tested. So a
candidate that is no worse anywhere fails with a probability of at most --alpha. The
hypotheses of DATADIR are in DIR/<name of DATADIR>/text; a missing set is bad input,
exit status 2.

For example:
  espnet-merge gate --ref dump/raw/es_test dump/raw/it_test \
    --baseline exp/released/inference_tail --candidate exp/tsv_m/inference_tail
"""

import argparse
import sys
from pathlib import Path

from espnet_merge.bin._comparing import add_tests, texts_of
from espnet_merge.score.evaluate import ERROR_RATES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--baseline", type=Path, required=True, metavar="DIR", help="must not fall")
    add("--candidate", type=Path, required=True, metavar="DIR", help="system to test")
    add(
        "--margin",
        type=float,
        default=0.0,
        metavar="POINTS",
        help="a rise of the error rate that is allowed (default: %(default)s)",
    )
    add_tests(parser, ERROR_RATES)


def main(args: argparse.Namespace) -> None:
    """Print every test, then a line for each fall."""
    from espnet_merge.score.compare import Design
    from espnet_merge.score.gate import judge

    design = Design(
        alpha=args.alpha,
        resamples=args.resamples,
        seed=args.seed,
        margin=args.margin,
    )
    verdict = judge(texts_of(args), args.baseline, args.candidate, design)
    print(verdict)
    if verdict.fallen:
        sys.exit(1)

r"""Compare systems on test sets, and say which differences are significant.

For each pair of systems (or each against --baseline) and each set: both error rates,
their difference in points with its bootstrap interval, and p by a paired permutation
test and by MAPSSWE, each with Holm's correction over the sets. With --metric bleu or
chrf both scores, with p by a paired permutation test and by the paired bootstrap, as
sacreBLEU has them. The hypotheses of DATADIR are in DIR/<name of DATADIR>/text, or
with one DATADIR in DIR/text.

For example:
  espnet-merge compare --ref dump/raw/es_test dump/raw/it_test \
    --baseline exp/zero_shot/inference_padded --hyp exp/tsv_m/inference_tail

docs/scoring.md says what is counted and what is tested.
"""

import argparse
import json
from pathlib import Path

from espnet_merge.bin._comparing import add_tests, texts_of
from espnet_merge.score.evaluate import METRICS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--hyp", type=Path, nargs="+", required=True, metavar="DIR", help="systems")
    add("--baseline", type=Path, metavar="DIR", help="compare with this system only")
    add("--json", action="store_true", help="print JSON, with all digits")
    add_tests(parser, METRICS)


def main(args: argparse.Namespace) -> None:
    """Compare and print."""
    from espnet_merge.score.compare import Design
    from espnet_merge.score.comparison import compare

    design = Design(alpha=args.alpha, resamples=args.resamples, seed=args.seed)
    found = compare(texts_of(args), args.hyp, design, args.baseline)
    if args.json:
        print(json.dumps(found.record(), indent=1, ensure_ascii=False))
    else:
        print(found)

r"""Exit with 1 where a candidate is significantly worse than a baseline, else with 0.

A set, a language or task in it, or the identification of languages has fallen when
its error rate rose by more than --margin points: a paired permutation test on one
side, p < --alpha after Holm's correction over everything that is tested. So a
candidate that is no worse anywhere fails with a probability of at most --alpha. The
hypotheses of DATADIR are in DIR/<name of DATADIR>/text; a missing set is bad input,
exit status 2.

For example:
  espnet-merge gate --ref dump/raw/es_test dump/raw/it_test \
    --baseline exp/released/inference_padded --candidate exp/tsv_m/inference_padded
"""

import argparse
import math
import sys
from pathlib import Path

from espnet_merge.bin.compare import add_tests, read_all, table
from espnet_merge.errors import InputError
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
    from espnet_merge.score.compare import Design, differences
    from espnet_merge.score.holm import check_resamples

    if not (math.isfinite(args.margin) and args.margin >= 0):
        raise InputError(
            f"--margin must be >= 0, in points of the error rate; got {args.margin}."
        )
    parts = read_all(args, [args.baseline, args.candidate])
    check_resamples(args.resamples, args.alpha, len(parts))
    design = Design(
        alpha=args.alpha,
        resamples=args.resamples,
        seed=args.seed,
        sides=1,
        margin=args.margin,
    )
    rows = differences(parts, [design.draw(part) for part in parts], 0, 1, design)
    print(f"a: {args.baseline}\nb: {args.candidate}")
    for line in table(rows, design):
        print(line)
    print(
        f"fallen: error rate up by more than {args.margin:g} points, p < {args.alpha:g}"
        f" by permutation of {args.unit}s (one side, Holm over {len(rows)} tests,"
        f" normalizer {args.normalizer})"
    )
    tested = {part.name.partition("/")[0] for part in parts}
    if others := sorted(_decoded(args.baseline) - tested):
        print(f"not tested, as --ref does not name them: {', '.join(others)}")
    fallen = [row for row in rows if row.p < args.alpha]
    for row in fallen:
        print(
            f"FALLEN {row.name} {row.metric}: {row.a:.2f} -> {row.b:.2f}, "
            f"{row.points:+.2f} points [{row.low:+z.2f}, {row.high:+z.2f}], "
            f"p {row.p:.4f}"
        )
    if fallen:
        sys.exit(1)
    worst = max(rows, key=lambda row: row.high)
    print(
        f"passed: nothing has fallen in {len(rows)} tests; the most that an interval"
        f" leaves open is {worst.high:+z.2f} points, {worst.name} {worst.metric}"
    )


def _decoded(system: Path) -> set[str]:
    return {path.parent.name for path in system.glob("*/text")}

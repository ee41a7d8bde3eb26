r"""Compare systems on test sets, and say which differences are significant.

For each pair of systems (or each against --baseline) and each set: both error rates,
their difference in points with its bootstrap interval, and p by a paired permutation
test and by MAPSSWE, each with Holm's correction over the sets. With --metric bleu or
chrf both scores, with p by a paired permutation test and by the paired bootstrap, as
sacreBLEU has them. The hypotheses of DATADIR are in DIR/<name of DATADIR>/text, or
with one DATADIR in DIR/text.

For example:
  espnet-merge compare --ref dump/raw/es_test dump/raw/it_test \
    --baseline exp/zero_shot/inference_padded --hyp exp/tsv_m/inference_as_trained

docs/scoring.md says what is counted and what is tested.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from espnet_merge.errors import InputError
from espnet_merge.score.evaluate import CORPUS_SCORES, METRICS
from espnet_merge.score.holm import check_resamples
from espnet_merge.score.normalize import NORMALIZERS

if TYPE_CHECKING:
    from espnet_merge.score.compare import Design, Difference
    from espnet_merge.score.parts import Part

COLUMNS = (
    *("set", "metric", "units", "a", "b", "b - a", "interval"),
    *("p", "p MAPSSWE", "p bootstrap"),
)


class Comparison(NamedTuple):
    """What is tested of two systems.

    Attributes:
        lines: that Holm's correction is over.
        rows: of the systems in two columns.
        explained: what the numbers are.
    """

    lines: int
    rows: "Callable[[int, int], list[Difference]]"
    explained: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--hyp", type=Path, nargs="+", required=True, metavar="DIR", help="systems")
    add("--baseline", type=Path, metavar="DIR", help="compare with this system only")
    add("--json", action="store_true", help="print JSON, with all digits")
    add_tests(parser, METRICS)


def add_tests(parser: argparse.ArgumentParser, metrics: Sequence[str]) -> None:
    """Declare the options that the gate has as well."""
    add = parser.add_argument
    add(
        "--ref",
        type=Path,
        nargs="+",
        required=True,
        metavar="DATADIR",
        help="Kaldi data directories of the test sets: text, utt2lang",
    )
    add(
        "--metric",
        choices=metrics,
        help="default: cer for languages without spaces between words, else wer",
    )
    add(
        "--normalizer",
        choices=tuple(NORMALIZERS),
        default="basic",
        help="as of 'espnet-merge score' (default: %(default)s)",
    )
    add(
        "--unit",
        choices=("utterance", "speaker"),
        default="utterance",
        help="what is drawn and swapped whole (default: %(default)s)",
    )
    add(
        "--alpha",
        type=float,
        default=0.05,
        metavar="A",
        help="level of significance; intervals cover 1 - A (default: %(default)s)",
    )
    add(
        "--resamples",
        type=int,
        default=1000,
        metavar="N",
        help="of bootstrap and permutation (default: %(default)s)",
    )
    add("--seed", type=int, default=0, metavar="N", help="default: %(default)s")


def main(args: argparse.Namespace) -> None:
    """Compare and print."""
    from espnet_merge.score.compare import Design

    systems = [args.baseline, *args.hyp] if args.baseline else args.hyp
    if len(systems) < 2:
        raise InputError("--hyp takes two systems or more, or one beside --baseline.")
    design = Design(alpha=args.alpha, resamples=args.resamples, seed=args.seed)
    test = _scores if args.metric in CORPUS_SCORES else _rates
    lines, rows_of, explained = test(args, systems, design)
    # Those of the first system come first.
    pairs = list(combinations(range(len(systems)), 2))
    compared = [
        (str(systems[a]), str(systems[b]), rows_of(a, b))
        for a, b in (pairs[: len(args.hyp)] if args.baseline else pairs)
    ]
    if args.json:
        record = {
            "normalizer": args.normalizer,
            "unit": args.unit,
            "design": asdict(design),
            "comparisons": [
                {"a": a, "b": b, "sets": [asdict(row) for row in rows]}
                for a, b, rows in compared
            ],
        }
        print(json.dumps(record, indent=1, ensure_ascii=False))
        return
    for a, b, rows in compared:
        print("\n".join([f"a: {a}", f"b: {b}", *table(rows, design)]), end="\n\n")
    print(
        f"{explained}\nInterval: bootstrap over {args.unit}s, "
        f"{100 * (1 - args.alpha):g} %. *: p < {args.alpha:g}, by Holm's correction\n"
        f"over the {lines} lines of a pair; the mean is a test of its own."
    )


def _rates(
    args: argparse.Namespace, systems: Sequence[Path], design: "Design"
) -> Comparison:
    """Test error rates: every part, and the mean of several."""
    from espnet_merge.score.compare import difference, differences, with_mapsswe

    parts = read_all(args, systems)
    check_resamples(args.resamples, args.alpha, len(parts))
    drawn = [design.draw(part) for part in parts]
    rated = [i for i, part in enumerate(parts) if part.metric != "language"]
    averaged = [parts[i] for i in rated], [drawn[i] for i in rated]

    def rows(a: int, b: int) -> "list[Difference]":
        found = with_mapsswe(differences(parts, drawn, a, b, design), parts, a, b)
        mean = [difference(*averaged, a, b, design)] if len(rated) > 1 else []
        return found + mean

    return Comparison(
        len(parts),
        rows,
        f"Error rates in percent, normalizer {args.normalizer}. "
        f"p: permutation of {args.unit}s, and MAPSSWE.",
    )


def _scores(
    args: argparse.Namespace, systems: Sequence[Path], design: "Design"
) -> Comparison:
    """Test BLEU or chrF."""
    from espnet_merge.score.translation import read_translations, score_differences

    parts = _read(args, systems, read_translations)
    check_resamples(args.resamples, args.alpha, len(parts))
    drawn = [
        part.resampled(args.resamples, design.seeds(part.name, part.metric))
        for part in parts
    ]
    signatures = dict.fromkeys(str(part.scorer.get_signature()) for part in parts)
    return Comparison(
        len(parts),
        lambda a, b: score_differences(parts, drawn, a, b, design),
        f"{args.metric}, more is better, normalizer {args.normalizer}; sacreBLEU's "
        f"{', '.join(signatures)}.\n"
        f"p: permutation of {args.unit}s, and paired bootstrap.",
    )


def read_all(args: argparse.Namespace, systems: Sequence[Path]) -> "list[Part]":
    """Return the parts of all sets.

    Raises:
        InputError: two sets have one name, or hypotheses are missing or do not fit.
    """
    from espnet_merge.score.parts import read_parts

    return _read(args, systems, read_parts)


def _read[P](
    args: argparse.Namespace, systems: Sequence[Path], read: Callable[..., list[P]]
) -> list[P]:
    names = [ref.absolute().name for ref in args.ref]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"--ref names a set once; {name} is named again.")
    alone = len(names) == 1
    return [
        part
        for ref, name in zip(args.ref, names, strict=True)
        for part in read(
            ref,
            [
                system if alone and (system / "text").exists() else system / name
                for system in systems
            ],
            args.normalizer,
            args.metric,
            by_speaker=args.unit == "speaker",
        )
    ]


def table(rows: "Sequence[Difference]", design: "Design") -> Iterator[str]:
    """Yield the rows in columns of equal width, significant ones with a star."""
    lines = zip(*(_cells(row, design.alpha) for row in rows), strict=True)
    columns = [
        (head, *column)
        for head, column in zip(COLUMNS, lines, strict=True)
        if any(column)
    ]
    widths = [max(map(len, column)) for column in columns]
    cells = zip(*columns, strict=True)
    for line in cells:
        left = [f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)]
        right = [f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)]
        yield "  ".join([*left[:2], *right[2:]]).rstrip()


def _cells(row: "Difference", alpha: float) -> tuple[str, ...]:
    return (
        row.name,
        row.metric,
        str(row.units),
        f"{row.a:.2f}",
        f"{row.b:.2f}",
        f"{row.points:+z.2f}",
        f"[{row.low:+z.2f}, {row.high:+z.2f}]",
        _shown(row.p, alpha),
        _shown(row.p_mapsswe, alpha),
        _shown(row.p_bootstrap, alpha),
    )


def _shown(p: float | None, alpha: float) -> str:
    if p is None:
        return ""
    digits = "<.001" if p < 0.001 else f"{p:.3f}"
    return digits + (" *" if p < alpha else "  ")

"""Options of the commands that compare systems."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from espnet_merge.score.normalize import NORMALIZERS

if TYPE_CHECKING:
    from espnet_merge.score.comparison import Texts


def add_tests(parser: argparse.ArgumentParser, metrics: Sequence[str]) -> None:
    """Declare what is compared, and how it is tested."""
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


def texts_of(args: argparse.Namespace) -> "Texts":
    """Return what is compared."""
    from espnet_merge.score.comparison import Texts

    return Texts(
        references=args.ref,
        normalizer=args.normalizer,
        metric=args.metric,
        unit=args.unit,
    )

"""Score hypotheses against a data directory.

Writes score.json, score_wer/result.txt and score_cer/result.txt beside the
hypotheses. What utt2task says is to be translated is scored by BLEU and chrF, too, with
sacreBLEU's signature. Rates are corpus totals in percent. The hypotheses must cover
exactly the utterances of the reference; an empty hypothesis counts as deletions.
"""

import argparse
from pathlib import Path

from espnet_merge.score.evaluate import METRICS
from espnet_merge.score.normalize import NORMALIZERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``espnet-merge score``."""
    parser.add_argument(
        "--ref",
        type=Path,
        required=True,
        metavar="DATADIR",
        help="Kaldi data directory: text, utt2lang",
    )
    parser.add_argument(
        "--hyp",
        type=Path,
        required=True,
        nargs="+",
        metavar="DIR",
        help="directories with the hypotheses: text, and text.json if decode wrote it",
    )
    parser.add_argument(
        "--metric",
        nargs="+",
        choices=METRICS,
        help="what to measure (default: wer cer; of translations bleu chrf, too)",
    )
    parser.add_argument(
        "--normalizer",
        choices=tuple(NORMALIZERS),
        default="basic",
        help="none; basic: no case, no punctuation; fold: and no diacritics; "
        "whisper: Whisper's rules for English, basic for others; simplified: basic, "
        "and Chinese in simplified characters (default: basic)",
    )
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="DIR",
        help="hypotheses of another system for the same data, to show the difference",
    )
    parser.add_argument(
        "--keep-current",
        action="store_true",
        help="leave directories whose score.json is of these very texts, this "
        "normalizer with the rules that it has now, and these metrics",
    )


def main(args: argparse.Namespace) -> None:
    """Score every directory, print the table."""
    from espnet_merge.score.directories import score_directories

    print(
        score_directories(
            args.ref,
            args.hyp,
            args.normalizer,
            args.metric,
            baseline=args.baseline,
            keep_current=args.keep_current,
        )
    )

"""Drop utterances that Whisper cannot use, with a count per reason.

Audio must be readable, finite, 16 kHz mono, neither too long nor too short; text must
be there and fit the decoder; language and task must be known to Whisper. Tokens are
counted only with --model, whose tokenizer is needed for it. --max-utterances keeps so
many of the usable ones, chosen by their names. Of a test set nothing may be dropped:
--keep-all writes it as it is, and says what is odd.
"""

import argparse
from pathlib import Path

from espnet_merge.disk.atomic import check_output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data directory")
    parser.add_argument("--output", type=Path, required=True, help="directory to write")
    parser.add_argument("--min-seconds", type=float, default=0.1, help="%(default)s")
    parser.add_argument("--max-seconds", type=float, default=30.0, help="%(default)s")
    parser.add_argument(
        "--max-tokens", type=int, default=448, help="prompt and end included"
    )
    parser.add_argument("--max-utterances", type=int, help="keep so many (all)")
    parser.add_argument(
        "--keep-all", action="store_true", help="drop nothing, as of a test set"
    )
    parser.add_argument("--model", type=Path, help="Whisper directory, to count tokens")
    parser.add_argument("--overwrite", action="store_true", help="replace --output")


def main(args: argparse.Namespace) -> None:
    """Filter and print the table."""
    from espnet_merge.data.filter import Limits, filter_data
    from espnet_merge.speech import LANGUAGES
    from espnet_merge.whisper.fetched import languages_of

    limits = Limits(
        min_seconds=args.min_seconds,
        max_seconds=args.max_seconds,
        max_tokens=args.max_tokens,
        max_utterances=args.max_utterances,
    )
    check_output(args.output, overwrite=args.overwrite, mark="wav.scp")
    count, known = None, LANGUAGES
    if args.model:
        # Seconds of imports, for this option alone.
        from espnet_merge.whisper.prompt import encode_target, load_tokenizer

        tokenizer, known = load_tokenizer(args.model), languages_of(args.model)

        def count(text: str, language: str, task: str) -> int:
            return len(encode_target(tokenizer, text, language, task))

    report = filter_data(
        args.data, args.output, limits, count, known, keep_all=args.keep_all
    )
    if args.keep_all:
        print(f"{args.output}: all are kept", *report.table("usual"), sep="\n  ")
    else:
        print(f"{args.output}", *report.table(), sep="\n  ")

"""Write a data directory with one file an utterance, as Whisper hears it.

Audio becomes 16 kHz, one channel, 16 bits; what is so already stays where it is. Parts
that `segments` names are cut out, and commands in wav.scp are run. No utterance is
dropped: what has no usable audio has None in wav.scp, and the reason in utt2defect.
"""

import argparse
from pathlib import Path

from espnet_merge.disk.atomic import check_output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data directory")
    parser.add_argument("--output", type=Path, required=True, help="directory to write")
    parser.add_argument("--overwrite", action="store_true", help="replace --output")


def main(args: argparse.Namespace) -> None:
    """Format and print the table."""
    from espnet_merge.data.format import format_data

    check_output(args.output, overwrite=args.overwrite, mark="wav.scp")
    report = format_data(args.data, args.output)
    print(f"{args.output}", *report.table(), sep="\n  ")

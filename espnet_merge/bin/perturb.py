"""Write speed-perturbed copies of a data directory.

Ids get a prefix such as sp0.9-; a factor of 1 keeps the utterances as they are.
"""

import argparse
from pathlib import Path

from espnet_merge.disk.atomic import check_output
from espnet_merge.files import WAV_SCP


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data directory")
    parser.add_argument("--output", type=Path, required=True, help="directory to write")
    parser.add_argument(
        "--factors",
        type=float,
        nargs="+",
        default=[0.9, 1.0, 1.1],
        help="speeds, 1 for the original (default: 0.9 1.0 1.1)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace --output")


def main(args: argparse.Namespace) -> None:
    """Perturb and say how much was written."""
    from espnet_merge.data.perturb import perturb_speed

    check_output(args.output, overwrite=args.overwrite, mark=WAV_SCP)
    count = perturb_speed(args.data, args.output, args.factors)
    print(f"{args.output}: {count} utterances")

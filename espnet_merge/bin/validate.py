"""Check data directories before anything is made of them.

Tables must be whole and list the same utterances; languages and tasks must be known to
Whisper, recordings and the programs that make them be there. Nothing is heard yet.
Utterances of all directories of one call must have names of their own.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        metavar="DATADIR",
        help="Kaldi data directories that are going to be used together",
    )


def main(args: argparse.Namespace) -> None:
    """Check them."""
    from espnet_merge.data.validate import validate

    validate(args.data)

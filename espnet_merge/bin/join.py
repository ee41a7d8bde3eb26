"""Join the parts that 'espnet-merge merge --shard' wrote: the bytes of a single run."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add(
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="what the parts were told; it is written, and the parts are removed",
    )
    add("--overwrite", action="store_true", help="replace an older merge in --output")


def main(args: argparse.Namespace) -> None:
    """Join the parts."""
    from espnet_merge.merging.shards import join

    join(args.output, overwrite=args.overwrite)
    print(args.output)

"""Merge again as a merge.yaml says, and prove that the bytes are the same.

The inputs are read where they were; paths that were relative still are. Exit status 0
means that all inputs and all tensors of the result are what they were.
"""

import argparse
from pathlib import Path

from espnet_merge.bin.merge import add_run, check_jobs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("record", type=Path, metavar="FILE", help="merge.yaml, or its directory")
    add(
        "--output",
        type=Path,
        metavar="DIR",
        help="directory to write (default: a temporary one, which is removed)",
    )
    add_run(parser)


def main(args: argparse.Namespace) -> None:
    """Merge and compare."""
    from espnet_merge.merging.provenance import read_record
    from espnet_merge.merging.replay import replay

    check_jobs(args.jobs)
    record = read_record(args.record)
    replay(
        record,
        args.output,
        overwrite=args.overwrite,
        jobs=args.jobs,
        device=args.device,
    )
    print(f"{args.record}: same inputs, same bytes")

"""Merge again as a merge.yaml says, and prove that the bytes are the same.

The inputs are read where they were; paths that were relative still are. Exit status 0
means that all inputs and all tensors of the result are what they were, those that are
stored beside the record, too.
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
    add(
        "--stored",
        action="store_true",
        help="compare what is stored beside the record with it; merge nothing",
    )
    add_run(parser)


def main(args: argparse.Namespace) -> None:
    """Merge and compare."""
    from espnet_merge.checkpoint import holds_weights
    from espnet_merge.merging.provenance import read_record
    from espnet_merge.merging.replay import check_stored, replay

    check_jobs(args.jobs)
    record = read_record(args.record)
    stored = args.record if args.record.is_dir() else args.record.parent
    if args.stored:
        check_stored(stored, record)
        print(f"{args.record}: the same bytes are stored")
        return
    # What is replaced may be damaged: that is why.
    replaced = args.output and args.output.resolve() == stored.resolve()
    compared = holds_weights(stored) and not replaced
    replay(
        record,
        args.output,
        stored=stored if compared else None,
        overwrite=args.overwrite,
        jobs=args.jobs,
        device=args.device,
    )
    what = "so is what is stored" if compared else "nothing is stored beside it"
    print(f"{args.record}: same inputs, same bytes; {what}")

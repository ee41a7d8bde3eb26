r"""Merge the same experts with many settings in one pass over them.

Each result is a directory below --output, the same to the byte as a merge of its own.
Inputs are read once, and methods share what they compute of a matrix.

For example:
  espnet-merge sweep --base exp/base --experts exp/full_es/model exp/full_it/model \
    --output exp/sweep --config conf/merge/boosted_tsv_m.yaml conf/merge/tsv_m.yaml \
    --grid scale=0.5,1,1.5

writes exp/sweep/boosted_tsv_m-scale=0.5 and five more.
"""

import argparse
from pathlib import Path

from espnet_merge.bin.merge import (
    add_inputs,
    check_jobs,
    merge_of,
    params_of,
    read_config,
    warn_of_names,
    warn_of_rounding,
)
from espnet_merge.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--method", nargs="+", default=[], metavar="NAME", help="methods")
    add(
        "--config",
        nargs="+",
        default=[],
        type=Path,
        metavar="FILE",
        help="YAML with 'method' and 'params'; its stem names the result",
    )
    add(
        "--grid",
        nargs="+",
        default=[],
        metavar="KEY=VALUE,VALUE",
        help="values that a parameter takes in turn, with all those of the others",
    )
    add_inputs(parser)
    add("--output", type=Path, required=True, metavar="DIR", help="parent of results")


def main(args: argparse.Namespace) -> None:
    """Merge with all settings."""
    from espnet_merge.checkpoint import open_checkpoint, open_expert
    from espnet_merge.merging import estimate
    from espnet_merge.merging.loop import run
    from espnet_merge.merging.sweep import parse_grid, settings

    check_jobs(args.jobs)
    starts = [(file.stem, *read_config(file)) for file in args.config]
    starts += [(name, name, {}) for name in args.method]
    if not starts:
        raise InputError("give --method or --config, one or several.")
    grid, common = parse_grid(args.grid), params_of(args)
    base = open_checkpoint(args.base)
    experts = [open_expert(expert) for expert in args.experts]
    merges = {}
    for start, method, params in starts:
        for label, values in settings(start, params | common, grid).items():
            if label in merges:
                raise InputError(f"{label}: two settings of one name; rename a file.")
            output = args.output / label
            merges[label] = merge_of(args, method, values, base, experts, output)
    seconds = estimate.seconds(list(merges.values()), args.jobs)
    print(f"{len(merges)} merges, about {seconds:.0f} s -> {args.output}")
    warn_of_names(next(iter(merges.values())), to_adapter=False)
    warn_of_rounding(args.dtype)
    run(list(merges.values()), args.jobs, args.device)
    for merge in merges.values():
        print(merge.output)

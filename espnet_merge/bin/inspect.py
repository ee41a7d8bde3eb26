r"""Measure experts before they are merged: how far they moved, where they conflict.

Prints norms, stable ranks, cosines, conflicts of sign and overlaps of subspaces, and
warns of experts that will not merge well. With --output also writes inspect.json (every
number, with its definition), layers.png, experts.png, and inspect.html, which holds
the same in one file. Base and experts are what 'espnet-merge merge' takes.

For example:
  espnet-merge inspect --base exp/base \
    --experts exp/full_es/model exp/full_it/model --output exp/inspect
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from espnet_merge.bin.merge import add_models
from espnet_merge.files import INSPECT_HTML

if TYPE_CHECKING:
    from espnet_merge.inspection import Inspection

RECORD = "inspect.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_models(parser)
    add = parser.add_argument
    add("--output", type=Path, metavar="DIR", help="directory to write")
    add(
        "--rank",
        type=int,
        default=16,
        metavar="K",
        help="leading singular directions of a subspace (default: %(default)s)",
    )
    add("--overwrite", action="store_true", help="replace an older one in --output")


def main(args: argparse.Namespace) -> None:
    """Measure, print, and write if told to."""
    from espnet_merge.checkpoint import open_checkpoint, open_expert
    from espnet_merge.disk.atomic import check_output
    from espnet_merge.inspection import measure
    from espnet_merge.inspection.advice import advise
    from espnet_merge.inspection.tables import aligned, tables

    if args.output:
        check_output(args.output, overwrite=args.overwrite, mark=RECORD)
    base = open_checkpoint(args.base)
    found = measure(base, [open_expert(path) for path in args.experts], args.rank)
    for title, rows in tables(found):
        print(f"{title}:")
        print("".join(f"  {line}\n" for line in aligned(rows)))
    for warning in advise(found):
        print(f"espnet-merge inspect: warning: {warning}", file=sys.stderr)
    if args.output:
        _write(found, args.output, overwrite=args.overwrite)
        print(args.output / INSPECT_HTML)


def _write(found: "Inspection", output: Path, *, overwrite: bool) -> None:
    from espnet_merge.disk.atomic import whole_directory
    from espnet_merge.inspection.page import page
    from espnet_merge.inspection.pictures import DPI, draw_experts, draw_layers
    from espnet_merge.inspection.record import record

    drawn = {"layers": draw_layers, "experts": draw_experts}
    with whole_directory(output, RECORD, overwrite=overwrite) as folder:
        for name, draw in drawn.items():
            draw(found).savefig(folder / f"{name}.png", dpi=DPI)
        pictures = {
            "Layer by layer": (folder / "layers.png").read_bytes(),
            "Expert by expert": (folder / "experts.png").read_bytes(),
        }
        (folder / INSPECT_HTML).write_text(page(found, pictures), encoding="utf-8")
        text = json.dumps(record(found), indent=1, ensure_ascii=False)
        (folder / RECORD).write_text(f"{text}\n", encoding="utf-8")

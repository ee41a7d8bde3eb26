r"""Measure experts before a merge: how far they moved, and where they conflict.

Prints norms, stable ranks, cosines, sign conflicts and overlaps of subspaces, and warns
of experts that will not merge well. --output also writes inspect.json (every number
with its definition), layers.png, experts.png, and inspect.html, which holds everything
in one file. Base and experts are those of 'espnet-merge merge'.

For example:
  espnet-merge inspect --base exp/base \
    --experts exp/full_es/model exp/full_it/model --output exp/inspect
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espnet_merge.bin._merging import Models
from espnet_merge.files import INSPECT_HTML
from espnet_merge.options import AnyPath, Option, function

if TYPE_CHECKING:
    from espnet_merge.inspection.summary import Summary


@dataclass(frozen=True, kw_only=True)
class Command(Models):
    """Measure experts before a merge.

    Returns:
        Norms, stable ranks, cosines, sign conflicts and overlaps of subspaces; printed,
        tables. ``record`` holds the numbers, ``warnings`` the warnings.

    Raises:
        InputError: the checkpoints do not belong together, or hold NaN or Inf.

    Example:
        >>> import espnet_merge as em
        >>> found = em.inspect(
        ...     base="exp/base", experts=["exp/full_es/model", "exp/full_it/model"]
        ... )
        >>> found.record["labels"]
        ['full_es', 'full_it']
        >>> found.warnings
        []
    """

    output: Annotated[AnyPath | None, Option("directory to write", metavar="DIR")] = (
        None
    )
    rank: Annotated[
        int, Option("leading singular directions of a subspace", metavar="K")
    ] = 16
    overwrite: Annotated[bool, Option("replace an older inspection in --output")] = (
        False
    )

    def __call__(self) -> "Summary":
        """Measure, and write if there is an ``output``."""
        from espnet_merge.checkpoint import open_checkpoint, open_expert
        from espnet_merge.disk.atomic import check_output
        from espnet_merge.inspection import measure
        from espnet_merge.inspection.summary import RECORD, Summary

        output = Path(self.output) if self.output else None
        if output:
            check_output(output, overwrite=self.overwrite, mark=RECORD)
        experts = [open_expert(Path(expert)) for expert in self.experts]
        found = measure(open_checkpoint(Path(self.base)), experts, self.rank)
        summary = Summary(found)
        if output:
            summary.write(output, overwrite=self.overwrite)
        return summary


inspect = function(Command, "inspect")


def main(command: Command) -> None:
    """Measure, and print the tables and warnings."""
    summary = command()
    print(summary, end="\n\n")
    for warning in summary.warnings:
        print(f"espnet-merge inspect: warning: {warning}", file=sys.stderr)
    if command.output:
        print(Path(command.output) / INSPECT_HTML)

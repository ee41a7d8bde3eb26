"""Merge again as a merge.yaml says, and prove that the bytes are the same.

The inputs are read where they were; paths that were relative still are. Exit status 0
means that all inputs and all tensors of the result are what they were.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from espnet_merge.bin._merging import Execution
from espnet_merge.options import AnyPath, Option


@dataclass(frozen=True, kw_only=True)
class Command(Execution):
    """Merge again as a merge.yaml says."""

    record: Annotated[
        AnyPath,
        Option("merge.yaml, or its directory", positional=True, metavar="FILE"),
    ]
    output: Annotated[
        AnyPath | None,
        Option(
            "directory to write",
            default="a temporary one, which is removed",
            metavar="DIR",
        ),
    ] = None

    def __call__(self) -> str:
        """Merge and compare; return that all is the same."""
        from espnet_merge.merging.provenance import read_record
        from espnet_merge.merging.replay import replay

        replay(
            read_record(Path(self.record)),
            Path(self.output) if self.output else None,
            overwrite=self.overwrite,
            jobs=self.jobs,
            device=self.device,
        )
        return f"{self.record}: same inputs, same bytes"


def main(command: Command) -> None:
    """Merge, compare, and print that all is the same."""
    print(command())

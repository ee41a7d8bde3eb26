"""Join the parts that 'espnet-merge merge --shard' wrote.

The result has the same bytes as a merge in one run.

For example:
  espnet-merge join --output exp/tsv_m/model
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from espnet_merge.options import AnyPath, Option, Options


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Join the parts of a merge."""

    output: Annotated[
        AnyPath,
        Option(
            "--output of the parts; the merge is written there, and parts are removed",
            metavar="DIR",
        ),
    ]
    overwrite: Annotated[bool, Option("replace an older merge in --output")] = False

    def __call__(self) -> Path:
        """Join the parts, and return the directory of the merge."""
        from espnet_merge.merging.shards import join
        from espnet_merge.whisper.source import local_path

        output = Path(self.output)
        join(output, find=local_path, overwrite=self.overwrite)
        return output


def main(command: Command) -> None:
    """Join the parts, and print the directory."""
    print(command())

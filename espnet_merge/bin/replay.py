"""Repeat the merge of a merge.yaml, and prove that the bytes are the same.

The inputs are read from the recorded paths; relative paths start from the current
directory. Of an input from the hub the recorded commit is fetched. Exit status 0
means that all inputs and all tensors of the result are the same as then, and also those
stored beside the record.

For example:
  espnet-merge replay exp/tsv_m/model
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from espnet_merge.bin._merging import Execution
from espnet_merge.options import AnyPath, Option


@dataclass(frozen=True, kw_only=True)
class Command(Execution):
    """Repeat the merge of a merge.yaml."""

    record: Annotated[
        AnyPath,
        Option("merge.yaml, or its directory", positional=True, metavar="FILE"),
    ]
    stored: Annotated[
        bool,
        Option("only compare the weights beside the record with it; do not merge"),
    ] = False
    output: Annotated[
        AnyPath | None,
        Option(
            "directory to write",
            default="a temporary one, which is removed",
            metavar="DIR",
        ),
    ] = None

    def __call__(self) -> str:
        """Merge and compare, and return what is the same."""
        from espnet_merge.checkpoint import holds_weights
        from espnet_merge.merging.provenance import read_record
        from espnet_merge.merging.replay import check_stored, replay
        from espnet_merge.whisper.source import local_path

        path, output = Path(self.record), Path(self.output) if self.output else None
        record = read_record(path)
        stored = path if path.is_dir() else path.parent
        if self.stored:
            check_stored(stored, record)
            return f"{path}: the same bytes are stored"
        # A result that is replaced is not compared, because it may be damaged.
        replaced = output and output.resolve() == stored.resolve()
        compared = holds_weights(stored) and not replaced
        replay(
            record,
            output,
            find=local_path,
            stored=stored if compared else None,
            overwrite=self.overwrite,
            jobs=self.jobs,
            device=self.device,
        )
        what = "so is what is stored" if compared else "nothing is stored beside it"
        return f"{path}: same inputs, same bytes; {what}"


def main(command: Command) -> None:
    """Merge, compare, and print what is the same."""
    print(command())

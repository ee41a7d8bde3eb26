"""Write a data directory with one audio file per utterance, in Whisper's format.

Audio becomes 16 kHz, one channel, 16 bits; files that are so already stay where they
are. Recordings are cut as `segments` says, and commands in wav.scp are run. No
utterance is dropped: one without usable audio gets None in wav.scp, and the reason in
utt2defect. Without `text` the utterances can be decoded, but not scored.

For example:
  espnet-merge format --data data/es_test --output dump/raw/es_test
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from espnet_merge.options import AnyPath, Option, Options


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Write a data directory with one audio file per utterance."""

    data: Annotated[AnyPath, Option("Kaldi data directory")]
    output: Annotated[AnyPath, Option("directory to write")]
    overwrite: Annotated[bool, Option("replace --output")] = False

    def __call__(self) -> str:
        """Format, and return a table of the utterances without usable audio."""
        from espnet_merge.data.format import format_data
        from espnet_merge.disk.atomic import check_output
        from espnet_merge.files import WAV_SCP

        output = Path(self.output)
        check_output(output, overwrite=self.overwrite, mark=WAV_SCP)
        report = format_data(Path(self.data), output)
        return "\n  ".join([f"{output}", *report.table()])


def main(command: Command) -> None:
    """Format, and print the table."""
    print(command())

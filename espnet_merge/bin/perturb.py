r"""Write speed-perturbed copies of a data directory.

Ids get a prefix such as sp0.9-; a factor of 1 keeps the utterances as they are.

For example:
  espnet-merge perturb --data dump/org/es_train --output dump/org/es_train_sp \
    --factors 0.9 1.0 1.1
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from espnet_merge.options import AnyPath, Option, Options


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Write speed-perturbed copies of a data directory."""

    data: Annotated[AnyPath, Option("Kaldi data directory")]
    output: Annotated[AnyPath, Option("directory to write")]
    factors: Annotated[Sequence[float], Option("speeds; 1 is the original")] = (
        0.9,
        1.0,
        1.1,
    )
    overwrite: Annotated[bool, Option("replace --output")] = False

    def __call__(self) -> str:
        """Perturb, and return the number of utterances."""
        from espnet_merge.data.perturb import perturb_speed
        from espnet_merge.disk.atomic import check_output
        from espnet_merge.files import WAV_SCP

        output = Path(self.output)
        check_output(output, overwrite=self.overwrite, mark=WAV_SCP)
        count = perturb_speed(Path(self.data), output, self.factors)
        return f"{output}: {count} utterances"


def main(command: Command) -> None:
    """Perturb, and print the number of utterances."""
    print(command())

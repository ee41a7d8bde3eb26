"""Check data directories before anything is made of them.

Tables must be whole and list the same utterances; languages and tasks must be known to
Whisper, recordings and the programs that make them be there. Nothing is heard yet.
Utterances of all directories of one call must have names of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from espnet_merge.options import AnyPath, Option, Options


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Check data directories before anything is made of them."""

    data: Annotated[
        Sequence[AnyPath],
        Option(
            "Kaldi data directories that are going to be used together",
            metavar="DATADIR",
        ),
    ]

    model: Annotated[
        AnyPath | None, Option("Whisper directory, whose languages count")
    ] = None

    def __call__(self) -> None:
        """Check them."""
        from espnet_merge.data.validate import validate
        from espnet_merge.speech import LANGUAGES
        from espnet_merge.whisper.fetched import languages_of

        known = languages_of(Path(self.model)) if self.model else LANGUAGES
        validate([Path(data) for data in self.data], known)


def main(command: Command) -> None:
    """Check them."""
    command()

"""Check data directories before they are used.

Tables must be complete and list the same utterances. Whisper must know all languages
and tasks. Recordings, and programs in wav.scp, must exist; audio is not read yet. The
names of utterances must be unique over all directories of one call.

For example:
  espnet-merge validate --data data/es_train data/it_train --model exp/base
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from espnet_merge.options import AnyPath, Option, Options
from espnet_merge.whisper.source import model_option


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Check data directories before they are used."""

    data: Annotated[
        Sequence[AnyPath],
        Option(
            "Kaldi data directories that will be used together",
            metavar="DATADIR",
        ),
    ]

    model: Annotated[
        AnyPath | None,
        model_option("Whisper whose languages are allowed", weights=False),
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

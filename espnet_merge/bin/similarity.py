r"""Measure how similar languages are to a Whisper, by its language identification.

Each row is a data directory of one language: the probability of each candidate,
averaged over the utterances. --output also writes similarity.json and similarity.png.
For the warm start of a new language the candidates are the trained languages, without
the new.

For example:
  espnet-merge similarity --model exp/base --data dump/raw/cs_train \
    --languages es,fr,it,ru --output exp/similarity
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espnet_merge.decode.settings import ForwardPass, Settings, codes
from espnet_merge.files import SIMILARITY_JSON
from espnet_merge.options import AnyPath, Option, declared
from espnet_merge.speech import AUTO
from espnet_merge.whisper.source import model_option

if TYPE_CHECKING:
    from espnet_merge.decode.similarity import Similarity


@dataclass(frozen=True, kw_only=True)
class Command(ForwardPass):
    """Measure how similar languages are to a Whisper."""

    model: Annotated[AnyPath, model_option("Whisper: a directory, or OpenAI's .pt")]
    data: Annotated[
        Sequence[AnyPath],
        Option(
            "Kaldi data directories, each of one language by its utt2lang",
            metavar="DATADIR",
        ),
    ]
    languages: Annotated[
        list[str] | None,
        Option(
            "candidates, such as es,it,ru", default="languages of --data", read=codes
        ),
    ] = None
    output: Annotated[AnyPath | None, Option("directory to write", metavar="DIR")] = (
        None
    )
    overwrite: Annotated[bool, Option("replace an older result in --output")] = False
    batch_size: Annotated[int, Option("utterances in a batch", least=1)] = 8

    def __call__(self) -> "Similarity":
        """Measure, and write if there is an ``output``."""
        from espnet_merge.decode.similarity import measure
        from espnet_merge.disk.atomic import check_output

        output = Path(self.output) if self.output else None
        if output:
            check_output(output, overwrite=self.overwrite, mark=SIMILARITY_JSON)
        settings = Settings(
            language=AUTO,
            languages=self.languages,
            batch_size=self.batch_size,
            **{name: getattr(self, name) for name in declared(ForwardPass)},
        )
        similarity = measure(Path(self.model), list(map(Path, self.data)), settings)
        if output:
            similarity.write(output, overwrite=self.overwrite)
        return similarity


def main(command: Command) -> None:
    """Measure, print, and write if there is an ``output``."""
    print(command())
    if command.output:
        print(Path(command.output) / SIMILARITY_JSON, file=sys.stderr)

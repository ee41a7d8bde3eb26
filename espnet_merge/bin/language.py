r"""Add a language that a Whisper does not know, by a borrowed or a new token.

Writes a copy of the model; prompts, options and data directories may then use the new
code. A borrowed token leaves the vocabulary as it is. With --own the language gets a
token of its own, which begins as a copy; all experts of a merge must then be trained
from this model.

For example:
  espnet-merge language --model exp/base --add ast --like es --output exp/base_ast
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from espnet_merge.options import AnyPath, Option, Options
from espnet_merge.whisper.source import model_option


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Add a language that a Whisper does not know."""

    model: Annotated[AnyPath, model_option("Hugging Face Whisper directory")]
    add: Annotated[str, Option("new language, such as ast", metavar="CODE")]
    like: Annotated[
        str,
        Option("language that Whisper knows, and that lends its token", metavar="CODE"),
    ]
    own: Annotated[
        bool, Option("add a token for the language, and do not borrow one")
    ] = False
    output: Annotated[AnyPath, Option("directory to write", metavar="DIR")]
    overwrite: Annotated[bool, Option("replace an older model in --output")] = False

    def __call__(self) -> Path:
        """Write the copy, and return its directory."""
        from espnet_merge.whisper.lend import lend

        model, output = Path(self.model), Path(self.output)
        options = {"own": self.own, "overwrite": self.overwrite}
        lend(model, self.add, self.like, output, **options)
        return output


def main(command: Command) -> None:
    """Write the copy, and print its directory."""
    print(command())

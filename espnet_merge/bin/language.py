r"""Give a Whisper a language that it does not know, by a borrowed or a new token.

Writes a copy of the model, whose prompts, options and data directories may have the new
code. A borrowed token leaves the vocabulary as it is; with --own the language gets a
token of its own, which begins as a copy: all that is merged must start from this model.

For example:
  espnet-merge language --model exp/base --add ast --like es --output exp/base_ast
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from espnet_merge.options import AnyPath, Option, Options


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Give a Whisper a language that it does not know."""

    model: Annotated[AnyPath, Option("Hugging Face Whisper directory")]
    add: Annotated[str, Option("the new language, such as ast", metavar="CODE")]
    like: Annotated[str, Option("a language that Whisper knows", metavar="CODE")]
    own: Annotated[bool, Option("a token of its own, not the borrowed one")] = False
    output: Annotated[AnyPath, Option("directory to write", metavar="DIR")]
    overwrite: Annotated[bool, Option("replace an older one in --output")] = False

    def __call__(self) -> Path:
        """Write the copy; return where it is."""
        from espnet_merge.whisper.lend import lend

        model, output = Path(self.model), Path(self.output)
        options = {"own": self.own, "overwrite": self.overwrite}
        lend(model, self.add, self.like, output, **options)
        return output


def main(command: Command) -> None:
    """Write the copy and print where."""
    print(command())

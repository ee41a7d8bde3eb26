"""Make a recipe directory for your own corpus: egs2/CORPUS/NAME.

In a clone this is egs2/TEMPLATE/merge1/setup.sh. Without a clone the directory that
holds egs2 becomes a place for recipes: it gets the template, conf, local and tools, and
.venv, a link to the environment that runs this.

For example:
  espnet-merge new-recipe egs2/mycorpus/merge1
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from espnet_merge.options import AnyPath, Option, Options
from espnet_merge.recipe import new_recipe


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Make a recipe directory."""

    directory: Annotated[
        AnyPath,
        Option("egs2/CORPUS/NAME, which does not exist yet", positional=True, read=str),
    ]

    def __call__(self) -> str:
        """Make it, and return what is to be done next."""
        return new_recipe(Path(self.directory))


def main(command: Command) -> None:
    """Make it, and print what is to be done next."""
    print(command())

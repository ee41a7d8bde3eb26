r"""Print what completes commands, options and files in a shell.

Once is enough. For example:
  espnet-merge completion bash \
    > ~/.local/share/bash-completion/completions/espnet-merge
  espnet-merge completion zsh > ~/.zfunc/_espnet-merge   # ~/.zfunc in fpath
"""

import argparse
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from espnet_merge.__main__ import COMMANDS, add_options
from espnet_merge.options import Option, Options


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Print what completes commands in a shell."""

    shell: Annotated[
        Literal["bash", "zsh", "tcsh"], Option("which one", positional=True)
    ]

    def __call__(self) -> str:
        """Return the script of the shell."""
        import shtab

        parser = argparse.ArgumentParser("espnet-merge")
        parser.add_argument("--version", action="store_true", help="print the version")
        commands = parser.add_subparsers()
        for name, help in COMMANDS.items():
            place = f"espnet_merge.bin.{name.replace('-', '_')}"
            kind = importlib.import_module(place).Command
            options = add_options(kind, one := commands.add_parser(name, help=help))
            for action in one._actions:
                if action.dest in options and options[action.dest].kind is Path:
                    action.complete = shtab.FILE  # type: ignore[attr-defined]
        return str(shtab.complete(parser, self.shell))


def main(command: Command) -> None:
    """Print the script of the shell."""
    print(command())

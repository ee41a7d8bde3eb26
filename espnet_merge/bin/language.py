r"""Give a Whisper a language that it does not know, by a borrowed or a new token.

Writes a copy of the model, whose prompts, options and data directories may have the new
code. A borrowed token leaves the vocabulary as it is; with --own the language gets a
token of its own, which begins as a copy: all that is merged must start from this model.

For example:
  espnet-merge language --model exp/base --add ast --like es --output exp/base_ast
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--model", type=Path, required=True, help="Hugging Face Whisper directory")
    add("--add", required=True, metavar="CODE", help="the new language, such as ast")
    add("--like", required=True, metavar="CODE", help="a language that Whisper knows")
    add("--own", action="store_true", help="a token of its own, not the borrowed one")
    add("--output", type=Path, required=True, metavar="DIR", help="directory to write")
    add("--overwrite", action="store_true", help="replace an older one in --output")


def main(args: argparse.Namespace) -> None:
    """Write the copy."""
    from espnet_merge.whisper.lend import lend

    options = {"own": args.own, "overwrite": args.overwrite}
    lend(args.model, args.add, args.like, args.output, **options)
    print(args.output)

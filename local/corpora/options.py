"""What all of prepare_*.py read from the command line of their data.sh."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from espnet_merge.errors import one_line_error

DATA = Path("data")
ANY = {"nargs": "*"}  # any number of words
SOME = {"nargs": "+"}  # one word or more
ONE: dict[str, Any] = {}  # a word, which may be empty
NUMBER = {"type": int}


def run(
    prepare: Callable[[argparse.Namespace], None], **options: dict[str, Any]
) -> None:
    """Call ``prepare`` with the options of data.sh; tell a mistake in one line.

    Args:
        prepare: takes the options, and besides ``downloads`` and ``nj``.
        options: name -> what it takes, of the above. All must be given.
    """
    # data.sh explains the options; the usage would only repeat them.
    parser = argparse.ArgumentParser("data.sh", usage=argparse.SUPPRESS)
    for name, words in options.items():
        parser.add_argument(f"--{name}", required=True, **words)
    parser.add_argument("--downloads", type=Path, required=True)
    parser.add_argument("--nj", type=int, required=True)
    args = parser.parse_args()
    with one_line_error("data.sh", OSError):
        prepare(args)

"""AN4 -> data/en_{train,valid,test}."""

import argparse
from pathlib import Path

import an4

from espnet_merge.data.archive import Corpus
from espnet_merge.data.sets import is_there, write_sets
from espnet_merge.errors import one_line_error

DATA = Path("data")


def main() -> None:
    """Prepare the sets if they do not exist yet."""
    # data.sh explains the options; the usage would only repeat them.
    parser = argparse.ArgumentParser("data.sh", usage=argparse.SUPPRESS)
    parser.add_argument("--an4", required=True)
    parser.add_argument("--valid", type=int, required=True)
    parser.add_argument("--downloads", type=Path, required=True)
    parser.add_argument("--nj", type=int, required=True)
    args = parser.parse_args()
    with one_line_error("data.sh", OSError):
        if not is_there("en", DATA):
            corpus = Corpus("an4", args.an4, args.downloads / "an4")
            splits = an4.read(corpus, args.valid)
            write_sets("en", splits, DATA, DATA / "local" / "en", args.nj)


if __name__ == "__main__":
    main()

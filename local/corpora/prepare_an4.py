"""AN4 -> data/en_{train,valid,test}."""

import argparse

import an4
from options import DATA, NUMBER, ONE, run

from espnet_merge.data.archive import Corpus
from espnet_merge.data.sets import is_there, write_sets


def main() -> None:
    """Prepare the sets if they do not exist yet."""
    run(prepare, an4=ONE, valid=NUMBER)


def prepare(args: argparse.Namespace) -> None:
    """Write the data directories."""
    if not is_there("en", DATA):
        corpus = Corpus("an4", args.an4, args.downloads / "an4")
        splits = an4.read(corpus, args.valid)
        write_sets("en", splits, DATA, DATA / "local" / "en", args.nj)


if __name__ == "__main__":
    main()

"""LibriSpeech -> data/en_{clean,other}_{train,valid,test}."""

import argparse

import librispeech
from options import DATA, ONE, SOME, run

from espnet_merge.data.archive import Corpus
from espnet_merge.data.sets import check_known, is_there, write_sets
from espnet_merge.errors import InputError

KINDS = ("clean", "other")


def main() -> None:
    """Prepare the sets that do not exist yet."""
    run(prepare, train=SOME, librispeech=ONE)


def prepare(args: argparse.Namespace) -> None:
    """Write the data directories of both experts."""
    check_known("train", args.train, librispeech.TRAIN)
    parts = {kind: [p for p in args.train if f"-{kind}-" in p] for kind in KINDS}
    if lacking := [kind for kind in KINDS if not parts[kind]]:
        raise InputError(
            f"--train must have parts of both experts; it has none of {lacking[0]}"
            f": name one of {' '.join(librispeech.TRAIN)}."
        )
    corpus = Corpus("librispeech", args.librispeech, args.downloads / "librispeech")
    for kind, train in parts.items():
        name = f"en_{kind}"
        if not is_there(name, DATA):
            splits = librispeech.read(corpus, train, kind, name)
            write_sets(name, splits, DATA, DATA / "local" / name, args.nj)


if __name__ == "__main__":
    main()

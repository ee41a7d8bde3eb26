"""LibriSpeech -> data/en_{clean,other}_{train,valid,test}."""

import argparse
from pathlib import Path

import librispeech

from espnet_merge.data.archive import Corpus
from espnet_merge.data.sets import check_known, is_there, write_sets
from espnet_merge.errors import InputError, one_line_error

DATA = Path("data")
KINDS = ("clean", "other")


def main() -> None:
    """Prepare the sets that do not exist yet."""
    # data.sh explains the options; the usage would only repeat them.
    parser = argparse.ArgumentParser("data.sh", usage=argparse.SUPPRESS)
    parser.add_argument("--train", nargs="+", required=True)
    parser.add_argument("--librispeech", required=True)
    parser.add_argument("--downloads", type=Path, required=True)
    parser.add_argument("--nj", type=int, required=True)
    args = parser.parse_args()
    with one_line_error("data.sh", OSError):
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

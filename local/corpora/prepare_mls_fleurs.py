"""MLS and FLEURS -> data/<language>_{train,valid,test}."""

import argparse
from pathlib import Path

import fleurs
import mls

from espnet_merge.data.archive import Corpus
from espnet_merge.data.sets import check_known, is_there, write_sets
from espnet_merge.errors import InputError, one_line_error

DATA = Path("data")


def main() -> None:
    """Prepare the sets that do not exist yet."""
    # data.sh explains the options; the usage would only repeat them.
    parser = argparse.ArgumentParser("data.sh", usage=argparse.SUPPRESS)
    parser.add_argument("--mls_langs", nargs="*", required=True)
    parser.add_argument("--fleurs_langs", nargs="*", required=True)
    parser.add_argument("--mls", required=True)
    parser.add_argument("--fleurs", required=True)
    parser.add_argument("--mls_train", required=True)
    parser.add_argument("--mls_audio", required=True)
    parser.add_argument("--fleurs_text", required=True)
    parser.add_argument("--downloads", type=Path, required=True)
    parser.add_argument("--nj", type=int, required=True)
    args = parser.parse_args()
    with one_line_error("data.sh", OSError):
        check(args)
        prepare(args)


def check(args: argparse.Namespace) -> None:
    """Raise ``InputError`` for unknown values, before anything is downloaded."""
    for option, known in (
        ("mls_langs", mls.LANGUAGES),
        ("fleurs_langs", fleurs.LANGUAGES),
    ):
        check_known(option, getattr(args, option), known)
    check_known("mls_train", [args.mls_train], mls.HANDLES)
    check_known("mls_audio", [args.mls_audio], ("opus", "flac"))
    columns = ("transcription", "raw_transcription")
    check_known("fleurs_text", [args.fleurs_text], columns)
    for language in args.mls_langs:
        if language in args.fleurs_langs:
            raise InputError(
                f"--fleurs_langs must not name what --mls_langs does: both would be "
                f"{language}_train; got {language!r}."
            )


def prepare(args: argparse.Namespace) -> None:
    """Write the data directories of all languages."""
    books, sentences = (
        Corpus(name, getattr(args, name), args.downloads / name)
        for name in ("mls", "fleurs")
    )
    for language in [*args.mls_langs, *args.fleurs_langs]:
        if is_there(language, DATA):
            continue
        if language in args.mls_langs:
            folder = mls.find(books, language, args.mls_audio)
            splits = mls.read(folder, language, args.mls_audio, args.mls_train)
        else:
            splits = fleurs.read(sentences, language, args.fleurs_text)
        write_sets(language, splits, DATA, DATA / "local" / language, args.nj)


if __name__ == "__main__":
    main()

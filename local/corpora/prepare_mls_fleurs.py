"""MLS and FLEURS -> data/<language>_{train,valid,test}."""

import argparse

import fleurs
import mls
from options import ANY, DATA, ONE, run

from espnet_merge.data.archive import Corpus
from espnet_merge.data.sets import check_known, is_there, write_sets
from espnet_merge.errors import InputError


def main() -> None:
    """Prepare the sets that do not exist yet."""
    words = ("mls", "fleurs", "mls_train", "mls_audio", "fleurs_text")
    run(prepare, mls_langs=ANY, fleurs_langs=ANY, **dict.fromkeys(words, ONE))


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
    check(args)
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

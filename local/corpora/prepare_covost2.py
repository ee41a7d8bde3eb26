"""CoVoST 2, LibriSpeech and AISHELL-1 -> data/<set>_{train,valid,test}."""

import argparse
from collections.abc import Iterable, Mapping

import aishell
import covost
import librispeech
from options import ANY, DATA, ONE, SOME, run

from espnet_merge.data.archive import Corpus
from espnet_merge.data.kaldi import KaldiUtterance
from espnet_merge.data.sets import check_known, is_there, write_sets
from espnet_merge.errors import InputError
from espnet_merge.speech import TRANSCRIBE, TRANSLATE

# Corpora for recognition alone -> their sets.
ASR = {"librispeech": "en", "aishell": "zh"}


def main() -> None:
    """Prepare the sets that do not exist yet."""
    sets = {TRANSLATE: ANY, TRANSCRIBE: ANY, "asr": ANY, "librispeech_train": SOME}
    corpora = dict.fromkeys(("commonvoice", "covost", *ASR), ONE)
    run(prepare, **sets, **corpora)


def check(args: argparse.Namespace) -> None:
    """Raise ``InputError`` for unknown values, before anything is downloaded."""
    check_known(TRANSLATE, args.translate, covost.LANGUAGES)
    check_known(TRANSCRIBE, args.transcribe, covost.LANGUAGES)
    check_known("asr", args.asr, ASR)
    check_known("librispeech_train", args.librispeech_train, librispeech.TRAIN)
    if "zh" in args.transcribe and "aishell" in args.asr:
        raise InputError(
            "--transcribe must not have zh where --asr has aishell: both would be "
            "zh_train; leave one out."
        )


def prepare(args: argparse.Namespace) -> None:
    """Write the data directories of all sets."""
    check(args)
    corpora = {
        name: Corpus(name, getattr(args, name), args.downloads / name)
        for name in ("commonvoice", "covost", *ASR)
    }
    tasks = [(f"{language}-en", language, TRANSLATE) for language in args.translate]
    tasks += [(language, language, TRANSCRIBE) for language in args.transcribe]
    for name, language, task in tasks:
        if not is_there(name, DATA):
            tables = covost.find(corpora["covost"], corpora["commonvoice"], language)
            write(name, covost.read(*tables, language, task), language, args.nj)
    for corpus in args.asr:
        name = ASR[corpus]
        if not is_there(name, DATA):
            if corpus == "librispeech":
                splits = librispeech.read(corpora[corpus], args.librispeech_train)
            else:
                splits = aishell.read(corpora[corpus])
            write(name, splits, name, args.nj)


def write(
    name: str, splits: Mapping[str, Iterable[KaldiUtterance]], language: str, nj: int
) -> None:
    """Write the data directories of one set; both tasks of a language share audio."""
    write_sets(name, splits, DATA, DATA / "local" / language, nj)


if __name__ == "__main__":
    main()

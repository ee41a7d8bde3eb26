"""CoVoST 2, LibriSpeech and AISHELL-1 -> data/<set>_{train,valid,test}."""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

import aishell
import covost
import librispeech

from espnet_merge.data.archive import Corpus
from espnet_merge.data.kaldi import KaldiUtterance
from espnet_merge.data.sets import check_known, is_there, write_sets
from espnet_merge.errors import InputError, one_line_error
from espnet_merge.speech import TRANSCRIBE, TRANSLATE

DATA = Path("data")
# Corpora for recognition alone -> their sets.
ASR = {"librispeech": "en", "aishell": "zh"}


def main() -> None:
    """Prepare the sets that do not exist yet."""
    # data.sh explains the options; the usage would only repeat them.
    parser = argparse.ArgumentParser("data.sh", usage=argparse.SUPPRESS)
    parser.add_argument("--translate", nargs="*", required=True)
    parser.add_argument("--transcribe", nargs="*", required=True)
    parser.add_argument("--asr", nargs="*", required=True)
    parser.add_argument("--commonvoice", required=True)
    parser.add_argument("--covost", required=True)
    parser.add_argument("--librispeech", required=True)
    parser.add_argument("--librispeech_train", nargs="+", required=True)
    parser.add_argument("--aishell", required=True)
    parser.add_argument("--downloads", type=Path, required=True)
    parser.add_argument("--nj", type=int, required=True)
    args = parser.parse_args()
    with one_line_error("data.sh", OSError):
        check(args)
        prepare(args)


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

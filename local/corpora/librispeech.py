"""LibriSpeech: English audiobooks, a list of transcripts in each chapter's folder.

Panayotov et al., *LibriSpeech: an ASR corpus based on public domain audio books*,
ICASSP 2015; https://www.openslr.org/12.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from espnet_merge.data.archive import Archive, Corpus
from espnet_merge.data.kaldi import KaldiUtterance
from espnet_merge.data.table import read_table

ADDRESS = "https://www.openslr.org/resources/12"
# Part -> MD5 of its archive.
PARTS = {
    "train-clean-100": "2a93770f6d5c6c964bc36631d331a522",
    "train-clean-360": "c0e676e450a7ff2f54aeade5171606fa",
    "train-other-500": "d1a0fd59409feb2c614ce4d30c387708",
    "dev-clean": "42e2234ba48799c1f50f24a7926300a1",
    "dev-other": "c8d0bcc9cca99d4f8b62fcc847357931",
    "test-clean": "32fa31d27d2e1cad72775fee3f4849a9",
    "test-other": "fb5a50374b501bb3bac4815ee91d3135",
}
TRAIN = [part for part in PARTS if part.startswith("train")]


def read(
    corpus: Corpus, train: Iterable[str], kind: str = "clean", name: str = "en"
) -> dict[str, Iterator[KaldiUtterance]]:
    """Return the utterances of each split.

    Args:
        corpus: where the parts are.
        train: parts for training.
        kind: of the parts for validation and test: ``clean`` or ``other``.
        name: that utterances and speakers begin with.
    """
    parts = {"train": train, "valid": [f"dev-{kind}"], "test": [f"test-{kind}"]}
    folders = {split: [_find(corpus, p) for p in own] for split, own in parts.items()}
    return {split: _utterances(own, name) for split, own in folders.items()}


def _find(corpus: Corpus, part: str) -> Path:
    file = f"{part}.tar.gz"
    archive = Archive(file, f"LibriSpeech/{part}", f"{ADDRESS}/{file}", PARTS[part])
    return corpus.find(archive)


def _utterances(folders: list[Path], head: str) -> Iterator[KaldiUtterance]:
    for folder in folders:
        for transcripts in sorted(folder.glob("*/*/*.trans.txt")):
            for name, text in read_table(transcripts).items():
                speaker = f"{head}-{name.partition('-')[0]}"
                audio = str(transcripts.with_name(f"{name}.flac"))
                # Transcripts are in capitals, which Whisper spells letter by letter.
                yield KaldiUtterance(
                    f"{head}-{name}", audio, text.lower(), speaker, "en"
                )

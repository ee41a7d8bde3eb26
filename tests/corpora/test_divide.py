"""A recording is in one split, whatever is done with it."""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet_merge.__main__ import main
from espnet_merge.data.kaldi import read_kaldi

COUNT = 40
SPLITS = ("train", "valid", "test")
HEADER = ["audio", "speaker", "text", "language", "task", "split"]


@pytest.fixture(autouse=True)
def corpus(tmp_path, monkeypatch):
    """Recordings of two languages, by twenty speakers."""
    monkeypatch.chdir(tmp_path)
    for language in ("es", "it"):
        for number in range(COUNT):
            soundfile.write(f"{language}{number}.wav", np.zeros(1600), 16_000)


def rows(task, split="", language="es"):
    """Yield a row for each recording, of what is said or of its translation."""
    word = {"transcribe": "frase", "translate": "sentence"}[task]
    for number in range(COUNT):
        audio, speaker = f"{language}{number}.wav", f"ana {number // 2:02}"
        yield [audio, speaker, f"{word} {number}", language, task, split]


def write(name, table, header=HEADER):
    with Path(name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *table])


def run(*words):
    main(["import", *words, "--from", "csv", "--jobs", "1"])


def recordings(task):
    """Return recording -> split."""
    return {
        Path(audio).name: split
        for split in SPLITS
        for audio in read_kaldi(Path(f"data/{task}_{split}"))["wav.scp"].values()
    }


@pytest.mark.parametrize("disjoint", [[], ["--disjoint", "speaker", "sentence"]])
def test_recording_of_two_tasks_is_in_one_split(disjoint, capsys):
    write("all.csv", [*rows("transcribe"), *rows("translate")])
    run("all.csv", *disjoint)
    assert recordings("es") == recordings("es-en")
    found = [*recordings("es").values()]
    assert [found.count(split) for split in SPLITS] == [32, 4, 4]
    assert ("speakers" in capsys.readouterr().out) is (not disjoint)


def test_two_commands_split_alike():
    write("es.csv", rows("transcribe"))
    write("en.csv", rows("translate"))
    run("es.csv", "--disjoint", "speaker")
    run("en.csv", "--disjoint", "speaker")
    assert recordings("es") == recordings("es-en")


def test_one_recording_by_two_paths():
    for folder in ("texts", "translations"):
        Path(folder).mkdir()
    for name, task in (
        ("texts/es.csv", "transcribe"),
        ("translations/en.csv", "translate"),
    ):
        write(name, ([f"../{audio}", *row] for audio, *row in rows(task)))
    run("texts/es.csv", "translations/en.csv")
    assert recordings("es") == recordings("es-en")


def test_speaker_of_two_languages_is_in_one_split():
    """As the corpus calls them: names of speakers in sets begin with the language."""
    write("all.csv", [*rows("transcribe"), *rows("translate", language="it")])
    run("all.csv", "--disjoint", "speaker")
    splits = defaultdict(set)
    for name in ("es", "it-en"):
        for split in SPLITS:
            for speaker in read_kaldi(Path(f"data/{name}_{split}"))["utt2spk"].values():
                splits[speaker.removeprefix(f"{name}-")].add(split)
    assert len(splits) == COUNT // 2
    assert all(len(own) == 1 for own in splits.values())


def test_what_two_tasks_have_in_common_is_counted(capsys):
    """The corpus itself has the recordings of es_test in es-en_train."""
    write("all.csv", [*rows("transcribe", "test"), *rows("translate", "train")])
    run("all.csv", "--split", "own")
    assert (
        "in two splits: 40 recordings, 20 speakers (to keep them apart: shares in "
        "--split, --disjoint speaker)" in capsys.readouterr().out
    )


PARTS = ["audio", "start", "end", "text"]


def test_parts_of_a_recording_are_in_one_split():
    starts = [(number, start) for number in range(10) for start in (0.0, 0.04)]
    table = ([f"es{n}.wav", s, s + 0.02, f"frase {n} {s}"] for n, s in starts)
    write("parts.csv", table, PARTS)
    run("parts.csv", "--lang", "es")
    splits = [set(read_kaldi(Path(f"data/es_{s}"))["wav.scp"]) for s in SPLITS]
    assert [len(own) for own in splits] == [8, 1, 1]
    assert len(set.union(*splits)) == 10


def test_one_recording_is_not_split(capsys):
    table = (["es0.wav", n / 100, (n + 1) / 100, f"frase {n}"] for n in range(9))
    write("parts.csv", table, PARTS)
    with pytest.raises(SystemExit):
        run("parts.csv", "--lang", "es")
    assert (
        "3 splits must not share a recording; es has fewer groups of rows that do not: "
        "1: ask for fewer splits, or give parts files of their own"
        in capsys.readouterr().err
    )

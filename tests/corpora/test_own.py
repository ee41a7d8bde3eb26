"""Splits of the corpus's own: by a column, or by names of files and folders."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet_merge.__main__ import main
from espnet_merge.data.kaldi import read_kaldi


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    soundfile.write("clip.wav", np.zeros(1600), 16_000)


def write_table(file, *rows):
    with Path(file).open("w", encoding="utf-8", newline="") as table:
        csv.writer(table).writerows([["audio", "id", "text", "split"], *rows])


def write_clip(path, text):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy("clip.wav", path)
    Path(path).with_suffix(".txt").write_text(text)


def run(*sources, form):
    main(["import", *sources, "--from", form, "--lang", "tr", "--split", "own"])


def texts():
    """Return split -> texts."""
    return {
        place.name.removeprefix("tr_"): set(read_kaldi(place)["text"].values())
        for place in Path("data").glob("tr_*")
    }


def test_turkish_is_no_training():
    names = {"tr_train": "bir", "tr_dev": "iki", "tr_test": "uc"}
    for name, text in names.items():
        write_table(f"{name}.csv", ["clip.wav", text, text, ""])
    run(*(f"{name}.csv" for name in names), form="csv")
    assert texts() == {"train": {"bir"}, "valid": {"iki"}, "test": {"uc"}}


def test_abbreviation_in_a_column_is_training():
    rows = [("bir", "TR"), ("iki", "dev"), ("uc", "test_tr"), ("dort", "")]
    write_table("dev.csv", *(["clip.wav", text, text, split] for text, split in rows))
    run("dev.csv", form="csv")
    assert texts() == {"train": {"bir"}, "valid": {"iki", "dort"}, "test": {"uc"}}


def test_name_of_a_table_counts_before_its_folders():
    import pyarrow as pa
    import pyarrow.parquet

    files = {
        "tr_tr/train-00000-of-00001.parquet": "bir",
        "test_set/tr/validation-00000-of-00001.parquet": "iki",
        "test_set/tr/0000.parquet": "uc",
    }
    for name, text in files.items():
        path = Path("hub") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.table({"audio": [str(Path("clip.wav").absolute())], "text": [text]})
        pyarrow.parquet.write_table(table, path)
    run("hub", form="parquet")
    assert texts() == {"train": {"bir"}, "valid": {"iki"}, "test": {"uc"}}


def test_folders_of_a_recording_count_before_its_name():
    """It may be called by what is said."""
    write_clip("corpus/train_clean_100/ana/this is a test.wav", "bir")
    write_clip("corpus/train_dev/ana/1.wav", "iki")
    write_clip("corpus/tr/test_1.wav", "uc")
    run("corpus", form="folder")
    assert texts() == {"train": {"bir"}, "valid": {"iki"}, "test": {"uc"}}


def test_folders_that_name_several_splits_are_refused(capsys):
    """Dev may be a speaker of the training set, or a part that was put aside."""
    write_clip("corpus/train/dev/1.wav", "bir")
    with pytest.raises(SystemExit) as stop:
        run("corpus", form="folder")
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert (
        "corpus/train/dev/1.wav: folders must name one split; train/dev names train "
        "and valid: name the folder below as SOURCE" in error
    )
    # Shares ask no folder.
    main(["import", "corpus", "--from", "folder", "--lang", "tr", "--split", "train"])
    assert texts() == {"train": {"bir"}}

"""Sets of an earlier import that the new ones overlap with do not stay."""

import shutil
from pathlib import Path

import pytest

from espnet_merge.__main__ import main
from espnet_merge.data.kaldi import read_kaldi
from tests.corpora.miniatures import SPOKEN, write_csv

THREE = ["--split", "train=0.5", "valid=0.25", "test=0.25"]
TWO = ["--split", "train=0.75", "test=0.25"]


@pytest.fixture(autouse=True)
def corpus(tmp_path, monkeypatch):
    write_csv(tmp_path)
    monkeypatch.chdir(tmp_path)


def run(*words):
    main(["import", "clips.csv", "--from", "csv", "--lang", "es", *words])


def sets():
    return {place.name for place in Path("data").glob("[!l.]*")}


def test_sets_that_are_not_made_again_are_removed(capsys):
    run(*THREE)
    shutil.copytree("data/es_valid", "data/es_kept")  # a copy is the user's
    run(*TWO, "--domain", "radio")
    before = sets()
    with pytest.raises(SystemExit):
        run(*TWO)
    assert "exists; give another --output or --overwrite" in capsys.readouterr().err
    assert sets() == before
    run(*TWO, "--overwrite")
    assert "data/es_valid: removed, of an earlier import" in capsys.readouterr().out
    assert sets() == before - {"es_valid"}
    texts = [read_kaldi(Path(f"data/es_{s}"))["text"] for s in ("train", "test")]
    assert sum(map(len, texts)) == len({**texts[0], **texts[1]}) == len(SPOKEN)


def test_a_run_that_was_killed_before_it_removed_goes_on(monkeypatch, capsys):
    from espnet_merge.corpora import importing

    def killed(_):
        raise KeyboardInterrupt

    run(*THREE)
    with monkeypatch.context() as patch:
        patch.setattr(importing, "remove_whole", killed)
        with pytest.raises(KeyboardInterrupt):
            run(*TWO, "--overwrite")
    assert sets() == {"es_train", "es_valid", "es_test"}
    capsys.readouterr()
    run(*TWO, "--overwrite")
    assert capsys.readouterr().out.splitlines() == [
        "data/es_train: is there already",
        "data/es_test: is there already",
        "data/es_valid: removed, of an earlier import of the same sets",
    ]
    assert sets() == {"es_train", "es_test"}


def test_nothing_is_removed_where_an_import_fails(capsys):
    run(*THREE)
    Path("clips.csv").write_text("audio,text\nnowhere.wav,uno\nnowhere2.wav,dos\n")
    with pytest.raises(SystemExit):
        run(*TWO, "--overwrite")
    assert sets() == {"es_train", "es_valid", "es_test"}


def test_a_set_that_is_left_of_an_earlier_import_is_not_overlooked(capsys):
    run(*THREE)
    shutil.rmtree("data/es_train")
    shutil.rmtree("data/es_test")
    with pytest.raises(SystemExit) as stop:
        run(*TWO)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert "data/es_valid: sets of one import must be made together" in error
    assert error.count("\n") == 1
    assert sets() == {"es_valid"}

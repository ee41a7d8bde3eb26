"""One corpus in every format gives the same data directories."""

import json
import sys

import numpy as np
import pytest
import soundfile

from espnet_merge.__main__ import main
from espnet_merge.data.kaldi import read_kaldi
from espnet_merge.data.validate import validate
from tests.corpora.miniatures import (
    FORMATS,
    SPOKEN,
    record,
    write_csv,
    write_folder,
    write_jsonl,
    write_parquet,
)


def texts_of(output, split):
    tables = read_kaldi(output / f"es_{split}")
    assert set(tables["utt2lang"].values()) == {"es"}
    assert set(tables["utt2task"].values()) == {"transcribe"}
    return {
        name: (tables["utt2spk"][name], text) for name, text in tables["text"].items()
    }


@pytest.mark.parametrize("name", FORMATS)
def test_corpus_in_each_format(name, tmp_path, monkeypatch):
    form, write, words = FORMATS[name]
    sources = list(map(str, write(tmp_path)))
    monkeypatch.chdir(tmp_path)
    main(["import", *sources, "--from", form, "--split", "own", *words])
    output = tmp_path / "data"
    splits = ("train", "valid", "test")
    for split in splits:
        expected = {
            f"es-{speaker}-{name}": (f"es-{speaker}", text)
            for name, (speaker, own, text) in SPOKEN.items()
            if {"dev": "valid"}.get(own, own) == split
        }
        assert texts_of(output, split) == expected
        validate([output / f"es_{split}"])
        for audio in read_kaldi(output / f"es_{split}")["wav.scp"].values():
            samples, rate = soundfile.read(audio)
            assert (len(samples), rate) == (8_000, 16_000)
    assert not (output / "es_train" / "segments").exists()


def test_semicolons_of_spreadsheets(tmp_path, monkeypatch):
    write_csv(tmp_path, delimiter=";")
    monkeypatch.chdir(tmp_path)
    main(["import", "clips.csv", "--from", "csv", "--lang", "es", "--split", "train"])
    assert len(texts_of(tmp_path / "data", "train")) == len(SPOKEN)


@pytest.mark.parametrize("suffix", [".flac", ".mp3"])
def test_embedded_audio_is_written_once(tmp_path, monkeypatch, suffix):
    write_parquet(tmp_path, suffix)
    monkeypatch.chdir(tmp_path)
    words = ["import", "data", "--from", "parquet", "--lang", "es", "--split", "own"]
    main([*words, "--output", "out"])
    made = {f: f.stat().st_mtime_ns for f in (tmp_path / "out" / "local").rglob("*")}
    for audio in read_kaldi(tmp_path / "out" / "es_train")["wav.scp"].values():
        assert audio.endswith(".flac")
        samples, rate = soundfile.read(audio)
        assert rate == 16_000
        assert len(samples) == pytest.approx(8_000, abs=20)
    main([*words, "--output", "out", "--domain", "again", "--overwrite"])
    kept = {f: f.stat().st_mtime_ns for f in made}
    assert kept == made


def test_paths_in_parquet_that_embeds_nothing(tmp_path, monkeypatch):
    import pyarrow as pa
    import pyarrow.parquet

    record(tmp_path / "clips")
    audio = [{"bytes": None, "path": f"clips/{name}.wav"} for name in ("a1", "a2")]
    table = pa.table({"audio": audio, "text": ["uno", "dos"]})
    pyarrow.parquet.write_table(table, tmp_path / "es.parquet")
    monkeypatch.chdir(tmp_path)
    words = ["--from", "parquet", "--lang", "es", "--split", "train"]
    main(["import", "es.parquet", *words])
    assert read_kaldi(tmp_path / "data" / "es_train")["wav.scp"] == {
        f"es-{name}": str(tmp_path / "clips" / f"{name}.wav") for name in ("a1", "a2")
    }


def test_parts_of_recordings_as_nemo_writes_them(tmp_path, monkeypatch):
    paths = record(tmp_path)
    parts = [
        {"audio_filepath": str(paths["a1"]), "offset": 0.1, "duration": 0.2},
        {"audio_filepath": str(paths["a1"]), "offset": 0.3, "duration": 0.2},
        {"audio_filepath": str(paths["a2"]), "duration": 0.47},
        {"audio_filepath": str(paths["b1"]), "duration": 1.5},
        {"audio_filepath": str(paths["b2"]), "offset": 0.6, "duration": 0.2},
    ]
    lines = (json.dumps(part | {"text": f"t{n}"}) for n, part in enumerate(parts))
    (tmp_path / "m.json").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    main(["import", "m.json", "--from", "nemo", "--lang", "es", "--split", "train"])
    tables = read_kaldi(tmp_path / "data" / "es_train")
    assert tables["segments"] == {
        "es-a1-0000010-0000030": "es-a1 0.100 0.300",
        "es-a1-0000030-0000050": "es-a1 0.300 0.500",
        "es-a2": "es-a2 0 -1",  # rounded
    }
    assert tables["wav.scp"] == {
        "es-a1": str(paths["a1"]),
        "es-a2": str(paths["a2"]),
    }


def test_cuts_begin_where_they_are_cut(tmp_path, monkeypatch):
    """Lhotse counts the start of a supervision from that of its cut."""
    from lhotse import CutSet, MonoCut, Recording, SupervisionSegment

    recording = Recording.from_file(record(tmp_path)["a1"])
    said = SupervisionSegment(
        "u1", recording.id, 0.1, 0.2, text="uno", speaker="ana", language="es"
    )
    cut = MonoCut("c1", 0.1, 0.4, 0, [said], recording=recording)
    CutSet.from_cuts([cut]).to_file(tmp_path / "cut.jsonl.gz")
    monkeypatch.chdir(tmp_path)
    main(["import", "cut.jsonl.gz", "--from", "lhotse", "--split", "train"])
    segments = read_kaldi(tmp_path / "data" / "es_train")["segments"]
    assert segments == {"es-ana-u1": "es-a1 0.200 0.400"}


def test_one_of_several_channels_is_dropped(tmp_path, monkeypatch, capsys):
    """A data directory would have all of them, mixed."""
    from lhotse import Recording, RecordingSet, SupervisionSegment, SupervisionSet

    monkeypatch.chdir(tmp_path)
    soundfile.write("call.wav", np.zeros((8_000, 2)), 16_000)
    recording = Recording.from_file("call.wav")
    said = [
        SupervisionSegment(
            name, "call", 0, 0.5, channel, text="uno", speaker="ana", language="es"
        )
        for name, channel in (("left", 0), ("right", 1), ("both", [0, 1]))
    ]
    RecordingSet.from_items([recording]).to_file("recordings.jsonl.gz")
    SupervisionSet.from_items(said).to_file("supervisions.jsonl.gz")
    main(["import", ".", "--from", "lhotse", "--split", "train"])
    assert [*read_kaldi(tmp_path / "data/es_train")["text"]] == ["es-ana-both"]
    assert "one of several channels      2   " in capsys.readouterr().out


def test_recordings_that_lhotse_would_change_are_dropped(tmp_path, monkeypatch, capsys):
    """But not those whose rate alone it would change: every rate is taken."""
    from lhotse import CutSet, Recording, SupervisionSegment

    def cut(name, recording):
        made = recording.to_cut()
        made.supervisions = [
            SupervisionSegment(name, recording.id, 0.1, 0.2, text=name, language="es")
        ]
        return made.with_id(name)

    recording = Recording.from_file(record(tmp_path)["a1"])
    cuts = [
        cut("plain", recording),
        cut("rate", recording.resample(8_000)),
        cut("speed", recording.perturb_speed(1.1)),
        cut("volume", recording.resample(8_000).perturb_volume(2.0)),
    ]
    CutSet.from_cuts(cuts).to_file(tmp_path / "cuts.jsonl.gz")
    monkeypatch.chdir(tmp_path)
    main(["import", "cuts.jsonl.gz", "--from", "lhotse", "--split", "train"])
    assert read_kaldi(tmp_path / "data/es_train")["segments"] == {
        "es-plain": "es-a1 0.100 0.300",
        "es-rate": "es-a1 0.100 0.300",
    }
    printed = capsys.readouterr().out
    assert "changed by Speed            1   cuts.jsonl.gz: speed" in printed
    assert "changed by Volume           1   cuts.jsonl.gz: volume" in printed


def test_recording_with_two_texts_is_dropped(tmp_path, monkeypatch, capsys):
    (folder,) = write_folder(tmp_path)
    (folder / "train/ana/a1.lab").write_text("DICE UNO Y YA")
    monkeypatch.chdir(tmp_path)
    words = ["--lang", "es", "--split", "train", "--speaker-column", "folder"]
    main(["import", "corpus", "--from", "folder", *words])
    texts = read_kaldi(tmp_path / "data/es_train")["text"]
    assert len(texts) == len(SPOKEN) - 1
    assert "es-ana-a1" not in texts
    assert "two texts                   1   corpus/train/ana/a1.wav" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("form", "package"), [("lhotse", "lhotse"), ("parquet", "pyarrow")]
)
def test_package_that_is_not_installed_is_named(
    tmp_path, monkeypatch, capsys, form, package
):
    real = sys.modules["importlib.util"].find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda n: None if n == package else real(n)
    )
    with pytest.raises(SystemExit) as stop:
        main(["import", str(tmp_path), "--from", form])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert f"needs the package {package}" in error
    assert f"pip install 'espnet_merge[{form}]'" in error


def test_languages_and_tasks_of_the_corpus(tmp_path, monkeypatch):
    write_jsonl(tmp_path)
    table = tmp_path / "clips.jsonl"
    rows = [json.loads(line) for line in table.read_text("utf-8").splitlines()]
    for number, row in enumerate(rows):
        row["language"] = ("Spanish", "ita", "tlh")[number % 3]
        row["task"] = "translate" if number < 1 else "transcribe"
    table.write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.chdir(tmp_path)
    main(["import", "clips.jsonl", "--from", "jsonl", "--split", "train"])
    made = sorted(path.name for path in (tmp_path / "data").glob("*_train"))
    assert made == ["es-en_train", "es_train", "it_train"]
    assert read_kaldi(tmp_path / "data/es-en_train")["utt2task"] == {
        "es-en-ana-a1": "translate"
    }

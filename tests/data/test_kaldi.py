import pytest

from espnet_merge.data.kaldi import Utterance, read_kaldi, write_kaldi
from espnet_merge.errors import InputError
from tests.speech import write_data


def test_files_are_sorted_by_bytes_and_read_back(tmp_path):
    names = ["es-b", "es-B", "es-_", "es-ñ", "es-1"]
    written = [Utterance(n, f"/a/{n}.wav", f"di {n}", "es", "es") for n in names]
    write_kaldi(written, tmp_path / "out")
    order = ["es-1", "es-B", "es-_", "es-b", "es-ñ"]
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        *("wav.scp", "text", "utt2spk", "spk2utt", "utt2lang", "utt2task")
    }
    tables = read_kaldi(tmp_path / "out")
    assert all(list(table) == order for table in tables.values())
    assert tables["text"]["es-B"] == "di es-B"
    assert set(tables["utt2task"].values()) == {"transcribe"}
    spk2utt = (tmp_path / "out" / "spk2utt").read_text()
    assert spk2utt == f"es {' '.join(order)}\n"


@pytest.mark.parametrize("missing", ["wav.scp", "text", "utt2lang"])
def test_a_missing_file_is_named(tmp_path, missing):
    data = write_data(tmp_path / "data")
    (data / missing).unlink()
    with pytest.raises(InputError, match=f"has no {missing}"):
        read_kaldi(data)


def test_speakers_and_tasks_may_be_missing(tmp_path):
    data = write_data(tmp_path / "data", count=2)
    (data / "utt2spk").unlink()
    (data / "utt2task").unlink()
    tables = read_kaldi(data)
    assert tables["utt2spk"] == {"es-000": "es-000", "es-001": "es-001"}
    assert tables["utt2task"] == {"es-000": "transcribe", "es-001": "transcribe"}


@pytest.mark.parametrize("kind", ["command", "segments"])
def test_audio_must_be_files(tmp_path, kind):
    data = write_data(tmp_path / "data")
    if kind == "command":
        (data / "wav.scp").write_text("es-000 sox a.wav -t wav - |\n")
    else:
        (data / "segments").write_text("es-000 rec 0 1\n")
    with pytest.raises(InputError, match=r"one file an utterance; .*format_wav_scp"):
        read_kaldi(data)

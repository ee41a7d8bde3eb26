import pytest

from espnet_merge.data.kaldi import (
    KaldiUtterance,
    check_columns,
    listed,
    read_formatted,
    read_kaldi,
    write_kaldi,
)
from espnet_merge.errors import InputError
from tests.speech import write_data


def test_files_are_sorted_by_bytes_and_read_back(tmp_path):
    names = ["es-b", "es-B", "es-_", "es-ñ", "es-1"]
    written = [KaldiUtterance(n, f"/a/{n}.wav", f"di {n}", "es", "es") for n in names]
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
def test_what_must_be_formatted_first(tmp_path, kind):
    data = write_data(tmp_path / "data")
    if kind == "command":
        (data / "wav.scp").write_text("es-000 sox a.wav -t wav - |\n")
    else:
        (data / "segments").write_text("es-000 rec 0 1\n")
    assert list(listed(read_kaldi(data))) == ["es-000"]
    with pytest.raises(InputError, match=r"one file an utterance; .*espnet-merge form"):
        read_formatted(data)


def test_byte_order_marks_are_read_over_in_all_tables(tmp_path):
    data = write_data(tmp_path / "data", count=2)
    expected = read_kaldi(data)
    for file in data.glob("[!e]*"):
        file.write_text("\ufeff" + file.read_text("utf-8"), "utf-8")
    assert read_kaldi(data) == expected


def test_languages_get_whispers_codes(tmp_path):
    data = write_data(tmp_path / "data", count=3)
    (data / "utt2lang").write_text("es-000 Spanish\nes-001 spa\nes-002 klingon\n")
    assert list(read_kaldi(data)["utt2lang"].values()) == ["es", "es", "klingon"]


@pytest.mark.parametrize("column", ["text", "utt2spk", "utt2lang", "utt2task"])
def test_each_utterance_has_a_line_in_each_column(tmp_path, column):
    data = write_data(tmp_path / "data", count=3)
    lines = (data / column).read_text().splitlines(keepends=True)
    check_columns(data, read_kaldi(data))
    (data / column).write_text("".join(lines[1:]))
    with pytest.raises(InputError, match=rf"{column}: must have a line for each .*000"):
        check_columns(data, read_kaldi(data))
    (data / column).write_text("".join([*lines, "es-9 es\n"]))
    with pytest.raises(InputError, match=rf"{column}: must list utterances .*\(es-9\)"):
        check_columns(data, read_kaldi(data))

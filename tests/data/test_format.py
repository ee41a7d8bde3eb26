import numpy as np
import pytest
import soundfile

from espnet_merge.__main__ import main
from espnet_merge.data.format import format_data
from espnet_merge.data.kaldi import read_formatted
from espnet_merge.data.table import read_table, write_table
from espnet_merge.decode.utterances import read_utterances
from espnet_merge.errors import InputError
from tests.data.recorded import LOUD, write_recordings
from tests.speech import write_data


def test_parts_of_files_and_of_commands_are_cut_out(tmp_path):
    data = write_recordings(tmp_path / "data")
    main(["format", "--data", str(data), "--output", str(tmp_path / "out")])
    tables = read_formatted(tmp_path / "out")
    assert set(tables["utt2lang"].values()) == {"es"}
    seconds = {"es-a": 1.0, "es-b": 0.5, "es-c": 1.5}
    for name, audio in tables["wav.scp"].items():
        samples, rate = soundfile.read(audio)
        assert (samples.shape, rate) == ((int(seconds[name] * 16_000),), 16_000)
        # The ends ring: resampled speech does not begin with a step.
        middle = samples[2_000:-2_000]
        np.testing.assert_allclose(middle, LOUD[name], atol=0.01)
        assert tables["utt2num_samples"][name] == str(len(samples))


def test_without_texts_it_can_still_be_decoded(tmp_path):
    data = write_recordings(tmp_path / "data")
    (data / "text").unlink()
    format_data(data, tmp_path / "out")
    assert not (tmp_path / "out" / "text").exists()
    found = {u.name: u.seconds for u in read_utterances(tmp_path / "out")}
    assert found == {"es-a": 1.0, "es-b": 0.5, "es-c": 1.5}
    (data / "utt2lang").unlink()
    with pytest.raises(InputError, match=r"must hold wav\.scp and utt2lang; it has no"):
        format_data(data, tmp_path / "other")


def test_what_is_plain_stays_where_it_is(tmp_path):
    data = write_data(tmp_path / "data", count=2)
    report = format_data(data, tmp_path / "out")
    assert read_table(tmp_path / "out" / "wav.scp") == read_table(data / "wav.scp")
    assert not (tmp_path / "out" / "data").exists()
    assert report.kept["es-001"] == soundfile.info(data / "es-001.wav").frames


def test_no_utterance_is_dropped_and_each_defect_is_named(tmp_path, capsys):
    data = write_data(tmp_path / "data", count=6)
    wavs = read_table(data / "wav.scp")
    content = (data / "es-000.wav").read_bytes()
    (data / "es-000.wav").write_bytes(content[: len(content) // 2])
    (data / "es-001.wav").unlink()
    wavs["es-002"] = "exit 3 |"
    wavs["es-003"] = "true |"
    wavs["es-004"] = "None"
    write_table(data / "wav.scp", wavs)
    main(["format", "--data", str(data), "--output", str(tmp_path / "out")])
    tables = read_formatted(tmp_path / "out")
    assert tables["wav.scp"] == {
        **dict.fromkeys(wavs, "None"),
        "es-005": wavs["es-005"],
    }
    assert tables["utt2defect"] == {
        "es-000": "cut short",
        "es-001": "no such file",
        "es-002": "command failed",
        "es-003": "empty audio",
        "es-004": "no audio",
    }
    assert tables["text"] == read_table(data / "text")
    assert tables["utt2num_samples"]["es-000"] == "0"
    printed = capsys.readouterr().out
    assert "kept                        1" in printed
    assert "command failed              1   es-002" in printed


def test_not_one_usable_recording_is_an_error(tmp_path):
    data = write_data(tmp_path / "data", count=2)
    write_table(data / "wav.scp", {"es-000": "exit 3 |", "es-001": "/none.wav"})
    with pytest.raises(InputError, match="none is \\(1 command failed, 1 no such file"):
        format_data(data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("lines", "defects"),
    [
        # Kaldi forgives half a second.
        ("es-a file 2.0 2.9", {}),
        ("es-a file 2.0 3.1", {"es-a": "beyond its recording"}),
        ("es-a file 2.6 2.7", {"es-a": "empty audio"}),
    ],
)
def test_parts_at_the_end_of_a_recording(tmp_path, lines, defects):
    data = write_recordings(tmp_path / "data")
    table = read_table(data / "segments")
    table["es-a"] = lines.partition(" ")[2]
    write_table(data / "segments", table)
    format_data(data, tmp_path / "out")
    assert read_formatted(tmp_path / "out").get("utt2defect", {}) == defects


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("file 0", "segments: es-a: must be recording, start and end in seconds"),
        ("file 0 x", "must be recording, start and end in seconds"),
        ("file 0 1 A", "must be recording, start and end in seconds; got .file 0 1 A"),
        ("file 1 0.5", "must start at 0 or later, and end after that"),
        ("file -1 0.5", "must start at 0 or later"),
        ("file 0 nan", "must start at 0 or later"),
        ("gone 0 1", "a recording must stand in wav.scp; gone does not"),
    ],
)
def test_bad_segments(tmp_path, line, message):
    data = write_recordings(tmp_path / "data")
    write_table(data / "segments", read_table(data / "segments") | {"es-a": line})
    with pytest.raises(InputError, match=message):
        format_data(data, tmp_path / "out")

import numpy as np
import pytest
import soundfile

from espnet_merge.__main__ import main
from espnet_merge.data.format import format_data
from espnet_merge.data.perturb import perturb_speed
from espnet_merge.data.table import read_table, write_table
from espnet_merge.errors import InputError
from tests.data.recorded import write_recordings
from tests.speech import write_data


def test_speed_changes_length_and_pitch(tmp_path):
    data = write_data(tmp_path / "data", count=1)
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000)
    soundfile.write(data / "es-000.wav", tone, 16_000)
    perturb_speed(data, tmp_path / "out", [1.25])
    wav = read_table(tmp_path / "out" / "wav.scp")["sp1.25-es-000"]
    samples, rate = soundfile.read(wav)
    assert (len(samples), rate) == (25_600, 16_000)
    peak = np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples)
    assert peak == pytest.approx(440 * 1.25, abs=1)


def test_ids_speakers_and_tables(tmp_path):
    data = write_data(tmp_path / "data", count=2)
    write_table(data / "utt2dur", {"es-000": "1", "es-001": "1"})
    write_table(data / "utt2note", {"es-000": "x", "es-001": "y"})
    out = tmp_path / "out"
    main(["perturb", "--data", str(data), "--output", str(out), "--factors", "1", ".9"])
    names = ["es-000", "es-001", "sp0.9-es-000", "sp0.9-es-001"]
    for file in ("wav.scp", "text", "utt2spk", "utt2lang", "utt2task", "utt2note"):
        assert list(read_table(out / file)) == names
    assert not (out / "utt2dur").exists()
    assert read_table(out / "spk2utt") == {
        "es": "es-000 es-001",
        "sp0.9-es": "sp0.9-es-000 sp0.9-es-001",
    }
    wavs = read_table(out / "wav.scp")
    assert wavs["es-000"] == read_table(data / "wav.scp")["es-000"]
    assert read_table(out / "utt2note")["sp0.9-es-001"] == "y"


@pytest.mark.parametrize("factors", [[0.1], [3], [0.9, 0.9], [float("nan")]])
def test_bad_factors(tmp_path, factors):
    data = write_data(tmp_path / "data", count=1)
    with pytest.raises(InputError, match="--factors must"):
        perturb_speed(data, tmp_path / "out", factors)


def test_broken_tables_leave_no_output(tmp_path):
    data = write_data(tmp_path / "data", count=2)
    write_table(data / "text", {"es-000": "uno"})
    with pytest.raises(InputError, match=r"text: must have a line .* lacks 1 \(es-001"):
        perturb_speed(data, tmp_path / "out", [0.9])
    assert not (tmp_path / "out").exists()


def test_broken_audio_is_noted(tmp_path):
    data = write_data(tmp_path / "data", count=2)
    (data / "es-001.wav").write_bytes(b"RIFF, or so it says")
    perturb_speed(data, tmp_path / "out", [1, 0.9])
    wavs = read_table(tmp_path / "out" / "wav.scp")
    # The copy at its own speed is not read here, but in the next stage.
    assert wavs["es-001"] == str(data / "es-001.wav")
    assert wavs["sp0.9-es-001"] == "None"
    assert read_table(tmp_path / "out" / "utt2defect") == {
        "sp0.9-es-001": "unreadable audio"
    }
    report = format_data(tmp_path / "out", tmp_path / "formatted")
    assert report.dropped == {"unreadable audio": ["es-001", "sp0.9-es-001"]}


def test_names_of_files_cannot_meet(tmp_path):
    """Utterances of two folders: neither the folder nor the slash may be lost."""
    data = write_data(tmp_path / "data", count=2)
    for file in ("wav.scp", "text", "utt2spk", "utt2lang", "utt2task"):
        text = (data / file).read_text()
        text = text.replace("es-000 ", "ana/7 ").replace("es-001 ", "bob/7 ")
        (data / file).write_text(text)
    perturb_speed(data, tmp_path / "out", [2])
    lengths = [
        soundfile.info(wav).frames
        for wav in read_table(tmp_path / "out" / "wav.scp").values()
    ]
    expected = [soundfile.info(data / f"es-00{n}.wav").frames / 2 for n in range(2)]
    assert lengths == pytest.approx(expected, abs=1)
    assert lengths[0] != lengths[1]


def test_segments_and_commands_have_speeds_too(tmp_path):
    data = write_recordings(tmp_path / "data")
    perturb_speed(data, tmp_path / "out", [1, 2])
    assert not (tmp_path / "out" / "segments").exists()
    found = {
        name: soundfile.info(wav).frames
        for name, wav in read_table(tmp_path / "out" / "wav.scp").items()
    }
    assert found == {
        "es-a": 16_000,
        "es-b": 8_000,
        "es-c": 24_000,
        "sp2-es-a": 8_000,
        "sp2-es-b": 4_000,
        "sp2-es-c": 12_000,
    }

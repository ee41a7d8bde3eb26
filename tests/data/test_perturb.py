import numpy as np
import pytest
import soundfile

from espnet_merge.__main__ import main
from espnet_merge.data.perturb import perturb_speed
from espnet_merge.data.table import read_table, write_table
from espnet_merge.errors import InputError
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


@pytest.mark.parametrize("damage", ["audio", "table"])
def test_broken_data_leaves_no_output(tmp_path, damage):
    data = write_data(tmp_path / "data", count=2)
    if damage == "audio":
        (data / "es-001.wav").write_bytes(b"noise")
    else:
        write_table(data / "text", {"es-000": "uno"})
    with pytest.raises(InputError, match=r"must be readable|must list"):
        perturb_speed(data, tmp_path / "out", [0.9])
    assert not (tmp_path / "out").exists()

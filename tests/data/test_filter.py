import numpy as np
import pytest
import soundfile

from espnet_merge.__main__ import main
from espnet_merge.data.filter import Limits, filter_data
from espnet_merge.data.table import read_table, write_table
from espnet_merge.errors import InputError
from tests.speech import write_data

BAD = {
    "too short": "es-001",
    "too long": "es-002",
    "not 16 kHz mono": "es-003",
    "unreadable audio": "es-004",
    "broken audio": "es-005",
    "no text": "es-006",
    "unknown language": "es-007",
    "unknown task": "es-008",
}


@pytest.fixture
def data(tmp_path):
    """Ten utterances, of which eight are bad, each in its own way."""
    data = write_data(tmp_path / "data", count=10)
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000 * 31)

    def write(reason, samples, rate=16_000, subtype="PCM_16"):
        soundfile.write(data / f"{BAD[reason]}.wav", samples, rate, subtype=subtype)

    write("too short", noise[:800])
    write("too long", noise)
    write("not 16 kHz mono", noise[:16_000], rate=8_000)
    write("broken audio", np.full(16_000, np.nan), subtype="FLOAT")
    (data / f"{BAD['unreadable audio']}.wav").write_bytes(b"RIFF, or so it says")
    for file, reason, value in (
        ("text", "no text", ""),
        ("utt2lang", "unknown language", "spanish"),
        ("utt2task", "unknown task", "summarise"),
    ):
        write_table(data / file, read_table(data / file) | {BAD[reason]: value})
    return data


def test_each_bad_utterance_is_dropped_for_its_reason(data, tmp_path):
    report = filter_data(data, tmp_path / "out", Limits())
    assert report.dropped == {reason: [name] for reason, name in BAD.items()}
    assert list(report.kept) == ["es-000", "es-009"]


def test_output_is_a_whole_data_directory(data, tmp_path):
    write_table(data / "utt2note", dict.fromkeys(["es-000", "es-001"], "x"))
    filter_data(data, tmp_path / "out", Limits())
    out = tmp_path / "out"
    assert (out / "spk2utt").read_text() == "es es-000 es-009\n"
    for file in ("wav.scp", "text", "utt2spk", "utt2lang", "utt2task"):
        assert list(read_table(out / file)) == ["es-000", "es-009"]
    assert list(read_table(out / "utt2note")) == ["es-000"]
    samples = soundfile.info(data / "es-009.wav").frames
    assert read_table(out / "utt2num_samples")["es-009"] == str(samples)


def test_limits_are_inclusive(tmp_path):
    data = write_data(tmp_path / "data", count=2)
    for name, length in (("es-000", 8_000), ("es-001", 16_000)):
        soundfile.write(data / f"{name}.wav", np.zeros(length), 16_000)
    limits = Limits(min_seconds=0.5, max_seconds=1)
    assert len(filter_data(data, tmp_path / "out", limits).kept) == 2


def test_so_many_are_kept_whatever_else_there_is(tmp_path):
    data = write_data(tmp_path / "data", count=9)
    few = filter_data(data, tmp_path / "few", Limits(max_utterances=3))
    assert len(few.kept) == 3
    assert list(few.kept) == sorted(few.kept)
    assert len(few.dropped["not chosen"]) == 6
    five = filter_data(data, tmp_path / "five", Limits(max_utterances=5))
    assert set(few.kept) < set(five.kept)
    every = filter_data(data, tmp_path / "every", Limits(max_utterances=9))
    assert not every.dropped


def test_truncated_audio_is_dropped(tmp_path):
    data = write_data(tmp_path / "data", count=2)
    wav = data / "es-000.wav"
    flac = data / "es-000.flac"
    soundfile.write(flac, soundfile.read(wav)[0], 16_000)
    flac.write_bytes(flac.read_bytes()[:-3000])
    write_table(data / "wav.scp", read_table(data / "wav.scp") | {"es-000": str(flac)})
    report = filter_data(data, tmp_path / "out", Limits())
    assert list(report.kept) == ["es-001"]


def test_too_many_tokens_by_the_model(micro_whisper, tmp_path, capsys):
    data = write_data(tmp_path / "data", count=2)
    # Bytes are the tokens of the micro Whisper; prompt and end are five more.
    write_table(data / "text", {"es-000": "a" * 442, "es-001": "a" * 443})
    options = ["--data", str(data), "--output", str(tmp_path / "out")]
    main(["filter", *options, "--model", str(micro_whisper)])
    assert "too many tokens" in capsys.readouterr().out
    assert list(read_table(tmp_path / "out" / "text")) == ["es-000"]


def test_nothing_left_is_an_error_and_leaves_nothing(data, tmp_path, capsys):
    options = ["--data", str(data), "--output", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as caught:
        main(["filter", *options, "--min-seconds", "29"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "at least one utterance must be usable" in error
    assert "1 no text" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "limits",
    [
        {"min_seconds": -1},
        {"max_seconds": 31},
        {"max_tokens": 449},
        {"max_utterances": 0},
    ],
)
def test_limits_that_make_no_sense(limits):
    with pytest.raises(InputError, match="must be"):
        Limits(**limits)


def test_existing_output_is_kept(data, tmp_path, capsys):
    options = ["--data", str(data), "--output", str(tmp_path / "out")]
    main(["filter", *options])
    with pytest.raises(SystemExit) as caught:
        main(["filter", *options])
    assert caught.value.code == 2
    main(["filter", *options, "--overwrite"])

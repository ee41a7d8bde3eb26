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
    "NaN or infinite samples": "es-005",
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
    write("NaN or infinite samples", np.full(16_000, np.nan), subtype="FLOAT")
    (data / f"{BAD['unreadable audio']}.wav").write_bytes(b"RIFF, or so it says")
    for file, reason, value in (
        ("text", "no text", ""),
        ("utt2lang", "unknown language", "klingon"),
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


def test_of_a_test_set_names_alone_choose(data, tmp_path):
    chosen = []
    for count in (4, 7, 10):
        out, limits = tmp_path / f"{count}", Limits(max_utterances=count)
        filter_data(data, out, limits, keep_all=True)
        chosen.append(set(read_table(out / "wav.scp")))
    assert [len(names) for names in chosen] == [4, 7, 10]
    assert chosen[0] < chosen[1] < chosen[2]
    # What is unusable has the same chance.
    assert len(chosen[1] - {"es-000", "es-009"}) >= 5


def odd(file, kind):
    """Spoil a WAV file of 16 kHz in one of many ways; return its new name."""
    samples, rate = soundfile.read(file)
    content = file.read_bytes()
    new = file.with_suffix({"raw": ".raw", "wav": ".wav"}.get(kind[:3], ".flac"))
    if kind == "raw samples":
        new.write_bytes(content[44:])
    elif kind == "wav cut short":
        new.write_bytes(content[: len(content) // 2])
    elif kind == "wav of int16 size":
        soundfile.write(new, samples * 32_768, rate, subtype="FLOAT")
    else:
        soundfile.write(new, samples, rate)
        flac = bytearray(new.read_bytes())
        if kind == "streamed":
            flac[21] &= 0xF0
            flac[22:26] = bytes(4)
        new.write_bytes(flac if kind == "streamed" else flac[:-3000])
    return new


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("raw samples", "no header"),
        ("wav cut short", "cut short"),
        ("wav of int16 size", "samples out of range"),
        ("flac cut short", "broken audio"),
        ("streamed", "length not known"),
    ],
)
def test_odd_audio_is_dropped_for_its_reason(tmp_path, kind, reason):
    data = write_data(tmp_path / "data", count=2)
    audio = odd(data / "es-000.wav", kind)
    write_table(data / "wav.scp", read_table(data / "wav.scp") | {"es-000": str(audio)})
    report = filter_data(data, tmp_path / "out", Limits())
    assert report.dropped == {reason: ["es-000"]}
    assert list(report.kept) == ["es-001"]


def test_of_a_test_set_nothing_is_dropped(data, tmp_path, capsys):
    table = read_table(data / "wav.scp") | {"es-004": "None"}
    write_table(data / "wav.scp", table)
    write_table(data / "utt2defect", {"es-004": "cut short"})
    out = tmp_path / "out"
    main(["filter", "--data", str(data), "--output", str(out), "--keep-all"])
    assert read_table(out / "wav.scp") == table
    assert read_table(out / "text") == read_table(data / "text")
    assert read_table(out / "utt2defect") == {"es-004": "cut short"}
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{out}: all are kept"
    assert [line.split() for line in lines[1:4]] == [
        ["usual", "2", "0.0", "min"],
        ["NaN", "or", "infinite", "samples", "1", "es-005"],
        ["cut", "short", "1", "es-004"],
    ]


def test_what_format_found_is_dropped_for_its_reason(tmp_path):
    data = write_data(tmp_path / "data", count=3)
    none = dict.fromkeys(["es-000", "es-002"], "None")
    write_table(data / "wav.scp", read_table(data / "wav.scp") | none)
    write_table(data / "utt2defect", {"es-002": "command failed"})
    report = filter_data(data, tmp_path / "out", Limits())
    assert report.dropped == {"no audio": ["es-000"], "command failed": ["es-002"]}
    assert not (tmp_path / "out" / "utt2defect").exists()


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

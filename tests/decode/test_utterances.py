import numpy as np
import pytest
import soundfile

from espnet_merge.decode.utterances import read_audio, read_utterances
from espnet_merge.errors import InputError


def write_data(directory, audio, rate=16_000, **tables):
    """A data directory of one utterance, ``es-a``."""
    soundfile.write(directory / "a.wav", audio, rate, subtype="FLOAT")
    (directory / "wav.scp").write_text(f"es-a {directory / 'a.wav'}\n")
    for name, value in {"utt2lang": "es-a es\n", **tables}.items():
        (directory / name).write_text(value)
    return directory


def second(seconds: float = 1.0, channels: int = 1) -> np.ndarray:
    shape = (int(16_000 * seconds), channels)[: 1 + (channels > 1)]
    return 0.1 * np.random.default_rng(0).standard_normal(shape)


def test_each_utterance_has_its_language_and_task(tmp_path):
    write_data(tmp_path, second(), utt2task="es-a translate\n")
    [utterance] = read_utterances(tmp_path)
    assert (utterance.language, utterance.task) == ("es", "translate")
    assert utterance.seconds == 1.0
    assert read_audio(utterance).dtype == np.float32
    [utterance] = read_utterances(tmp_path, "it", "transcribe")
    assert (utterance.language, utterance.task) == ("it", "transcribe")


def test_the_task_is_to_transcribe_unless_stated(tmp_path):
    assert read_utterances(write_data(tmp_path, second()))[0].task == "transcribe"


@pytest.mark.parametrize(
    ("audio", "rate", "message"),
    [
        (second(channels=2), 16_000, "one channel at 16000 Hz; .* not 16 kHz mono"),
        (second(), 48_000, "one channel at 16000 Hz; .* not 16 kHz mono"),
        (second(), 10**9, "one channel at 16000 Hz; .* odd sampling rate"),
        (second(0.01), 16_000, "0.02 to 30 seconds; it lasts 0.01"),
        (second(0), 16_000, "16000 Hz; .* length not known"),
        (second(30.1), 16_000, "0.02 to 30 seconds; it lasts 30.10"),
    ],
    ids=["stereo", "48 kHz", "1 GHz", "short", "empty", "long"],
)
def test_audio_is_checked(tmp_path, audio, rate, message):
    with pytest.raises(InputError, match=rf"es-a: audio must .*{message}"):
        read_utterances(write_data(tmp_path, audio, rate))


def test_audio_of_29_9_seconds_is_taken(tmp_path):
    [utterance] = read_utterances(write_data(tmp_path, second(29.9)))
    assert read_audio(utterance).shape == (478_400,)


def test_a_whole_set_has_what_is_long_short_or_not_there(tmp_path):
    write_data(tmp_path, second(30.1))
    [utterance] = read_utterances(tmp_path, whole_set=True)
    assert (utterance.samples, utterance.defect) == (481_600, "")
    segment = utterance._replace(start=480_000, samples=1_600)
    np.testing.assert_array_equal(read_audio(segment), read_audio(utterance)[-1_600:])
    [utterance] = read_utterances(write_data(tmp_path, second(0.01)), whole_set=True)
    assert (utterance.samples, utterance.defect) == (160, "too short")
    (tmp_path / "wav.scp").write_text("es-a None\n")
    [utterance] = read_utterances(tmp_path, whole_set=True)
    assert (utterance.samples, utterance.defect) == (0, "no audio")
    (tmp_path / "utt2defect").write_text("es-a cut short\n")
    [utterance] = read_utterances(tmp_path, whole_set=True)
    assert utterance.defect == "cut short"
    with pytest.raises(InputError, match=r"must have audio; by wav\.scp it has none"):
        read_utterances(tmp_path)


@pytest.mark.parametrize("whole_set", [False, True])
@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("a.wav", lambda _: b"no wav", "unreadable audio"),
        ("a.wav", lambda _: b"", "empty audio"),
        ("a.wav", lambda wav: wav[: len(wav) // 2], "cut short"),
        ("a.raw", lambda wav: wav[44:], "no header"),
        ("a.wav", None, "no such file"),
        ("a.flac", "streamed", "length not known"),
    ],
)
def test_broken_audio_is_named_before_anything_is_decoded(
    tmp_path, name, change, reason, whole_set
):
    write_data(tmp_path, second())
    wav = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").unlink()
    (tmp_path / "wav.scp").write_text(f"es-a {tmp_path / name}\n")
    if change == "streamed":
        soundfile.write(tmp_path / name, second(), 16_000)
        flac = bytearray((tmp_path / name).read_bytes())
        flac[21] &= 0xF0
        flac[22:26] = bytes(4)
        (tmp_path / name).write_bytes(flac)
    elif change:
        (tmp_path / name).write_bytes(change(wav))
    with pytest.raises(InputError, match=f"es-a: audio must be .*: {reason}: run espn"):
        read_utterances(tmp_path, whole_set=whole_set)


def test_audio_that_changes_after_the_check(tmp_path):
    [utterance] = read_utterances(write_data(tmp_path, second()))
    write_data(tmp_path, second(0.5))
    with pytest.raises(InputError, match="must hold the 16000 samples"):
        read_audio(utterance)
    write_data(tmp_path, np.full(16_000, np.nan))
    with pytest.raises(InputError, match="it has NaN or infinite samples"):
        read_audio(utterance)
    write_data(tmp_path, second() * 32_768)
    with pytest.raises(InputError, match="it has samples out of range"):
        read_audio(utterance)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"wav.scp": "es-a sox a.wav -t wav - |\n"}, "must be a file, not a command"),
        ({"wav.scp": ""}, "at least one utterance"),
        ({"segments": "es-a a 0 1\n"}, "this has segments"),
        ({"utt2lang": "es-b es\n"}, "es-a has none"),
        ({"utt2lang": "es-a xx\n"}, "utt2lang: es-a: language must be one of"),
        ({"utt2task": "es-a sing\n"}, "utt2task: es-a: task must be one of"),
    ],
)
def test_tables_are_checked(tmp_path, tables, message):
    with pytest.raises(InputError, match=message):
        read_utterances(write_data(tmp_path, second(), **tables))


def test_missing_tables_are_named(tmp_path):
    with pytest.raises(InputError, match=r"has wav.scp; this has none"):
        read_utterances(tmp_path)
    write_data(tmp_path, second())
    (tmp_path / "utt2lang").unlink()
    with pytest.raises(InputError, match="write it, or give --language"):
        read_utterances(tmp_path)

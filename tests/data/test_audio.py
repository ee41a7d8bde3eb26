import io

import av
import numpy as np
import pytest
import soundfile

from espnet_merge.data import audio
from espnet_merge.data.audio import (
    AudioError,
    decode,
    read_blocks,
    read_header,
    write_flac,
)
from espnet_merge.errors import InputError


def packed(samples, rate, kind, subtype=None):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def tone(rate, seconds=0.5):
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)


def streamed(flac):
    """A FLAC file as it is written into a pipe: its header does not say how long."""
    flac = bytearray(flac)
    flac[21] &= 0xF0
    flac[22:26] = bytes(4)
    return bytes(flac)


def sized(wav, size):
    """A WAV file whose header says another size of its samples."""
    return wav[:40] + size.to_bytes(4, "little") + wav[44:]


def read(path, **options):
    return np.concatenate([*read_blocks(path, **options)])


def test_what_is_16_khz_mono_is_kept_bit_by_bit():
    samples = (tone(16_000) * 32767).astype(np.int16)
    assert np.array_equal(decode(packed(samples, 16_000, "WAV"), "x"), samples)


@pytest.mark.parametrize(("rate", "kind"), [(44_100, "OGG"), (8_000, "FLAC")])
def test_others_are_resampled_and_mixed_down(rate, kind):
    stereo = np.stack([tone(rate), tone(rate)], axis=1)
    found = decode(packed(stereo, rate, kind), "x") / 32768
    assert abs(len(found) - 8_000) < 0.02 * 16_000
    spectrum = np.abs(np.fft.rfft(found))
    assert abs(np.argmax(spectrum) * 16_000 / len(found) - 440) < 5
    assert found.max() == pytest.approx(0.5, abs=0.05)


def test_raw_g722_has_two_samples_a_byte():
    assert len(decode(b"\xfa" * 800, "x", "g722")) == 1600


@pytest.mark.parametrize("content", [b"", b"no audio at all" * 10])
def test_what_is_no_audio_is_named(content):
    with pytest.raises(InputError, match=r"a\.ogg: must be audio"):
        decode(content, "a.ogg")


@pytest.mark.parametrize("block", [audio.BLOCK, 5_000])
def test_frames_make_no_difference(monkeypatch, block):
    """A file of many frames is what FFmpeg's resampler makes of them one by one."""
    monkeypatch.setattr(audio, "BLOCK", block)
    content = packed(tone(48_000, 2.0), 48_000, "MP3")
    resampler = av.AudioResampler("s16", "mono", 16_000)
    with av.open(io.BytesIO(content)) as file:
        frames = [*file.decode(audio=0), None]
    assert len(frames) > 50
    parts = [p.to_ndarray()[0] for f in frames for p in resampler.resample(f)]
    assert np.array_equal(decode(content, "x"), np.concatenate(parts))


def test_rate_that_changes_on_the_way_is_refused():
    content = b"".join(packed(tone(rate), rate, "MP3") for rate in (48_000, 16_000))
    with pytest.raises(InputError, match=r"a\.mp3: must be audio; .*match"):
        decode(content, "a.mp3")


def test_every_value_of_16_bits_is_written_as_it_was_read(tmp_path):
    samples = np.arange(-32768, 32768, dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16_000)
    assert write_flac(tmp_path / "b.flac", read_blocks(tmp_path / "a.wav")) == 65_536
    found, rate = soundfile.read(tmp_path / "b.flac", dtype="int16")
    assert rate == 16_000
    assert np.array_equal(found, samples)


@pytest.mark.parametrize(
    ("kind", "subtype", "rate", "channels"),
    [
        ("WAV", "PCM_16", 44_100, 1),
        ("WAV", "FLOAT", 48_000, 2),
        ("WAV", "ULAW", 8_000, 1),
        ("WAV", "PCM_24", 96_000, 8),
        ("FLAC", "PCM_16", 22_050, 2),
        ("NIST", "PCM_16", 8_000, 1),
        ("AIFF", "PCM_16", 32_000, 1),
        ("OGG", "OPUS", 48_000, 2),
        ("MP3", "MPEG_LAYER_III", 44_100, 1),
    ],
)
def test_any_rate_encoding_and_number_of_channels(
    tmp_path, monkeypatch, kind, subtype, rate, channels
):
    sound = np.tile(tone(rate, 1.0)[:, None], channels)
    (tmp_path / "a").write_bytes(packed(sound, rate, kind, subtype))
    whole = read(tmp_path / "a")
    assert len(whole) == pytest.approx(16_000, abs=2)
    middle = whole[4_000:12_000]
    assert np.argmax(np.abs(np.fft.rfft(middle))) == 220  # 440 Hz in half a second
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.05)
    monkeypatch.setattr(audio, "BLOCK", 3_001)
    np.testing.assert_allclose(read(tmp_path / "a"), whole, atol=1e-6)


def test_speed_changes_length_and_pitch(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(44_100, 2.0), 44_100)
    faster = read(tmp_path / "a.wav", speed=1.25)
    assert len(faster) == pytest.approx(25_600, abs=1)
    peak = np.argmax(np.abs(np.fft.rfft(faster))) * 16_000 / len(faster)
    assert peak == pytest.approx(440 * 1.25, abs=1)


SOUND = tone(16_000, 1.0)
WAV = packed(SOUND, 16_000, "WAV")
FLAC = packed(SOUND, 16_000, "FLAC")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.flac", streamed(FLAC)),
        ("a.wav", sized(WAV, 0)),
        ("a.wav", sized(WAV, 0x7FFF_F000)),
        ("a.wav", sized(WAV, 0xFFFF_FFFF)),
        ("a.wav", sized(WAV, len(WAV))),  # counts its header, as some do
    ],
    ids=["FLAC", "zero", "sox", "FFmpeg", "with header"],
)
def test_header_that_does_not_know_the_length(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    np.testing.assert_allclose(read(tmp_path / name), SOUND, atol=1 / 32_000)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.wav", None, "no such file"),
        ("a.wav", b"", "empty audio"),
        ("a.wav", packed(SOUND[:0], 16_000, "WAV"), "empty audio"),
        ("a.wav", b"RIFF, or so it says", "unreadable audio"),
        ("a.mp3", b"no audio at all" * 100, "unreadable audio"),
        ("a.raw", WAV[44:], "no header"),
        ("a.RAW", WAV[44:], "no header"),
        ("a.wav", WAV[44:], "unreadable audio"),
        ("a.wav", WAV[:20_000], "cut short"),
        ("a.flac", FLAC[: len(FLAC) // 2], "broken audio"),
        ("a.sph", packed(SOUND, 16_000, "NIST")[:20_000], "cut short"),
        ("a.aiff", packed(SOUND, 16_000, "AIFF")[:20_000], "cut short"),
        ("a.au", packed(SOUND, 16_000, "AU")[:20_000], "cut short"),
        ("a.w64", packed(SOUND, 16_000, "W64")[:20_000], "cut short"),
        ("a.rf64", packed(SOUND, 16_000, "RF64")[:20_000], "cut short"),
        ("a.wav", packed(SOUND * 32_768, 16_000, "WAV", "FLOAT"), "out of range"),
        ("a.wav", packed(SOUND * np.nan, 16_000, "WAV", "FLOAT"), "NaN or infinite"),
        (
            "a.wav",
            packed(np.full(9_999, -np.inf), 16_000, "WAV", "DOUBLE"),
            "NaN or infinite",
        ),
        ("a.wav", packed(SOUND, 7, "WAV"), "odd sampling rate"),
        ("a.wav", packed(SOUND, 1_000_000_000, "WAV"), "odd sampling rate"),
    ],
)
def test_what_is_of_no_use_is_refused_for_its_reason(tmp_path, name, content, reason):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(AudioError, match=reason):
        write_flac(tmp_path / "out.flac", read_blocks(tmp_path / name))
    assert not (tmp_path / "out.flac").exists()


@pytest.mark.parametrize("kind", ["MP3", "OGG"])
def test_compressed_audio_that_is_cut(tmp_path, kind):
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000 * 20)
    content = packed(noise, 16_000, kind)
    (tmp_path / "a").write_bytes(content[: 2 * len(content) // 3])
    with pytest.raises(AudioError, match="cut short"):
        read(tmp_path / "a")


def test_recording_of_an_hour_takes_the_memory_of_seconds(tmp_path):
    import tracemalloc

    minute = np.zeros((60 * 44_100, 2), np.int16)
    with soundfile.SoundFile(tmp_path / "a.flac", "w", 44_100, 2) as file:
        for _ in range(20):
            file.write(minute)
    tracemalloc.start()
    count = write_flac(tmp_path / "b.flac", read_blocks(tmp_path / "a.flac"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20 * 60 * 16_000
    assert peak < 40e6  # the samples alone would be 420 MB


def test_plain_is_what_all_can_read(tmp_path):
    (tmp_path / "a.flac").write_bytes(FLAC)
    assert read_header(tmp_path / "a.flac") == (16_000, 16_000, 1, ("FLAC", "PCM_16"))
    assert read_header(tmp_path / "a.flac").is_plain
    (tmp_path / "a.flac").write_bytes(streamed(FLAC))
    assert not read_header(tmp_path / "a.flac").is_plain
    (tmp_path / "a.flac").write_bytes(packed(SOUND, 8_000, "FLAC"))
    assert not read_header(tmp_path / "a.flac").is_plain

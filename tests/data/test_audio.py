import io

import av
import numpy as np
import pytest
import soundfile

from espnet_merge.data.audio import decode
from espnet_merge.errors import InputError


def packed(samples, rate, kind):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind)
    return file.getvalue()


def tone(rate, seconds=0.5):
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)


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


def test_frames_make_no_difference():
    """A file of many frames is what FFmpeg's resampler makes of them one by one."""
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

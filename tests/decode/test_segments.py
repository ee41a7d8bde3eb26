import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from espnet_merge.decode import segments
from espnet_merge.decode.segments import FRAME, cut, detect_speech, spans
from espnet_merge.decode.utterances import Utterance, read_audio
from espnet_merge.errors import InputError

RATE = 16_000
RECORDINGS = Path(__file__).parents[1] / "recordings"


def write(path: Path, audio: np.ndarray) -> Utterance:
    soundfile.write(path, audio, RATE)
    return Utterance(path.stem, path, len(audio), "es", "transcribe")


def speech(pause: float, seconds: float) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Real prompts one after the other, and where each begins and ends."""
    prompts = [soundfile.read(path)[0] for path in sorted(RECORDINGS.glob("*.flac"))]
    audio, places, length = [], [], 0
    while length < seconds * RATE:
        prompt = prompts[len(places) % len(prompts)]
        places.append((length, length + len(prompt)))
        audio += [prompt, np.zeros(int(pause * RATE))]
        length = sum(map(len, audio))
    return np.concatenate(audio), places


def ends(cuts: list[Utterance]) -> list[tuple[int, int]]:
    return [(segment.start, segment.start + segment.samples) for segment in cuts]


@given(
    st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, 900_000)), max_size=6),
    st.integers(50_000, 480_000),
    st.integers(0, 9),
)
def test_spans_keep_all_speech_in_order(gaps, longest, seed):
    spoken, end = [], 0
    for pause, length in gaps:
        spoken.append((end + pause, end + pause + length))
        end += pause + length
    power = np.random.default_rng(seed).random(end // FRAME + 1)
    found = spans(spoken, power, longest)
    for (_, stop), (start, _) in itertools.pairwise(found):
        assert stop <= start
    for start, stop in found:
        assert 0 < stop - start <= longest
    for start, stop in spoken:
        # No speech lies outside of all segments.
        covered = sum(max(0, min(stop, b) - max(start, a)) for a, b in found)
        assert covered == stop - start
    if found:
        assert (found[0][0], found[-1][1]) == (spoken[0][0], spoken[-1][1])


def test_speech_without_a_pause_is_cut_where_it_is_quietest():
    power = np.ones(2000)
    power[600:610] = 0.5  # 19.2 s: the second half of 30 s
    power[100:110] = 0.1  # 3.2 s: quieter, and too early
    power[950:960] = 0.2  # 30.4 s: quieter, and too late
    [(_, place), *_] = spans([(0, 40 * RATE)], power, 30 * RATE)
    assert 600 * FRAME < place < 610 * FRAME


def test_pauses_join_up_to_two_seconds():
    second = [(0, RATE), (3 * RATE, 4 * RATE), (6 * RATE + 1, 7 * RATE)]
    assert spans(second, [], 30 * RATE) == [(0, 4 * RATE), second[2]]
    assert spans(second, [], 3 * RATE) == second


def test_what_fits_is_not_cut_nor_read(tmp_path):
    utterances = [
        Utterance("a", tmp_path / "none", int(29.9 * RATE), "es", "transcribe"),
        Utterance("b", tmp_path / "none", 30 * RATE, "es", "transcribe"),
    ]
    assert cut(utterances, tail=4) == utterances


def test_an_utterance_with_a_defect_has_no_segment(tmp_path):
    lost = Utterance("a", tmp_path / "none", 0, "es", "transcribe", 0, "cut short")
    assert cut([lost]) == []


def test_real_speech_is_cut_in_its_pauses(tmp_path):
    audio, prompts = speech(pause=1.5, seconds=40)
    cuts = ends(cut([write(tmp_path / "a.wav", audio)]))
    assert len(cuts) >= 2
    for _, stop in cuts[:-1]:
        assert all(stop <= start or stop >= end for start, end in prompts)
    for start, end in prompts:  # and nothing of a prompt's middle is lost
        middle = (start + end) // 2
        assert any(a <= middle < b for a, b in cuts)


def test_each_segment_of_30_1_seconds_fits_with_its_tail(tmp_path):
    audio, _ = speech(pause=0, seconds=30.1)
    long = write(tmp_path / "a.wav", audio[: int(30.1 * RATE)])
    for tail, most in [(0, 30), (4, 26), (30, 15)]:
        cuts = cut([long], tail)
        assert max(segment.seconds for segment in cuts) <= most
        kept = np.concatenate([read_audio(segment) for segment in cuts])
        assert np.square(kept).sum() > 0.99 * np.square(read_audio(long)).sum()


@pytest.mark.parametrize("level", [0.0, 0.05], ids=["silence", "noise"])
def test_without_speech_there_is_no_segment(tmp_path, level):
    audio = level * np.random.default_rng(0).standard_normal(31 * RATE)
    assert cut([write(tmp_path / "a.wav", audio)]) == []


def test_frames_of_a_recording_do_not_depend_on_blocks(tmp_path, monkeypatch):
    audio, _ = speech(pause=0.5, seconds=10)
    utterance = write(tmp_path / "a.wav", audio)
    whole = detect_speech(utterance)
    assert len(whole.speech) == len(whole.power) == -(-len(audio) // FRAME)
    assert max(whole.speech) > 0.9
    monkeypatch.setattr(segments, "BLOCK", 7 * FRAME)
    assert detect_speech(utterance).speech == whole.speech


def test_two_hours_take_the_memory_of_seconds(tmp_path, monkeypatch):
    class AllSpeech:
        """A detector that finds speech in every frame, at no cost."""

        def reset_states(self):
            self.probability = np.float32(1)

        def __call__(self, frame, rate):
            return self.probability

    monkeypatch.setattr(segments, "_detector", AllSpeech)
    path = tmp_path / "a.flac"
    minute = np.zeros(60 * RATE)
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        for _ in range(120):
            file.write(minute)
    tracemalloc.start()
    cuts = cut([Utterance("a", path, 120 * len(minute), "es", "transcribe")])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ends(cuts)[-1][1] == 120 * len(minute)
    assert sum(segment.samples for segment in cuts) == 120 * len(minute)
    assert peak < 30e6  # the samples alone would be 460 MB


def test_a_long_file_is_checked(tmp_path):
    audio = np.zeros(31 * RATE)
    utterance = write(tmp_path / "a.wav", audio)
    soundfile.write(utterance.audio, audio[: 20 * RATE], RATE)
    with pytest.raises(InputError, match="the file is cut short"):
        cut([utterance])
    audio[-1] = np.nan
    soundfile.write(utterance.audio, audio, RATE, subtype="FLOAT")
    with pytest.raises(InputError, match="NaN or infinite samples"):
        cut([utterance])

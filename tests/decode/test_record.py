import pytest

from espnet_merge.decode.identify import IdentifiedLanguage
from espnet_merge.decode.record import DecodedSegment, utterance_record
from espnet_merge.decode.search import Hypothesis
from espnet_merge.decode.utterances import Utterance
from espnet_merge.whisper.prompt import load_tokenizer

UTTERANCE = Utterance("a", "a.wav", 800_000, "es", "transcribe")
SPANISH = IdentifiedLanguage("es", 1.0)


@pytest.fixture(scope="module")
def tokenizer(micro_whisper):
    return load_tokenizer(micro_whisper)


def decoded(tokenizer, text, start, samples, ended=True, language=SPANISH):
    tokens = tokenizer.encode(text, add_special_tokens=False)
    audio = UTTERANCE._replace(start=start, samples=samples)
    hypothesis = Hypothesis(tokens, -1.0 * len(tokens), ended)
    return DecodedSegment(audio, language, hypothesis)


def test_segments_are_joined_in_the_order_of_time(tokenizer):
    segments = [
        decoded(tokenizer, " b b", 320_000, 160_000, ended=False),
        decoded(tokenizer, "aa ", 0, 300_000),
        decoded(tokenizer, "", 500_000, 8_000),
    ]
    assert utterance_record(UTTERANCE, segments, tokenizer) == {
        "text": "aa b b",
        "language": "es",
        "task": "transcribe",
        "tokens": 7,
        "score": -7.0,
        "score_per_token": -0.7778,  # of nine steps: two segments have an end token
        "seconds": 50.0,
        "repeats": 2,
        "truncated": True,
        "temperature": 0.0,
        "segments": [
            {"start": 0.0, "end": 18.75, "language": "es", "text": "aa"},
            {"start": 20.0, "end": 30.0, "language": "es", "text": "b b"},
        ],
    }


def test_a_whole_utterance_has_no_segments(tokenizer):
    segment = decoded(tokenizer, "a", 0, 800_000)
    record = utterance_record(UTTERANCE, [segment], tokenizer)
    assert record["text"] == "a"
    assert "segments" not in record


def test_timestamps_divide_a_segment(tokenizer):
    zero = tokenizer.convert_tokens_to_ids("<|0.00|>")
    a, b, c = tokenizer.convert_tokens_to_ids(["a", "b", "c"])
    tokens = [zero, a, zero + 100, zero + 110, b, b, zero + 1499, zero + 1499, c]
    audio = UTTERANCE._replace(start=16_000, samples=10 * 16_000)
    segment = DecodedSegment(audio, SPANISH, Hypothesis(tokens, -1.0, True))
    record = utterance_record(UTTERANCE, [segment], tokenizer, timestamps=True)
    assert record["text"] == "abbc"
    segments = [(s["start"], s["end"], s["text"]) for s in record["segments"]]
    # What Whisper places after the end of the audio is placed at its end.
    assert segments == [(1.0, 3.0, "a"), (3.2, 11.0, "bb"), (11.0, 11.0, "c")]


def test_without_speech_the_text_is_empty(tokenizer):
    record = utterance_record(UTTERANCE, [], tokenizer)
    assert (record["text"], record["score"], record["segments"]) == ("", 0, [])
    assert not record["truncated"]


def test_a_recording_has_its_most_probable_language(tokenizer):
    auto = UTTERANCE._replace(language="auto")
    segments = [
        decoded(tokenizer, text, start, samples, language=IdentifiedLanguage(*language))
        for text, start, samples, language in [
            ("a", 0, 200_000, ("it", 0.9)),
            ("b", 200_000, 400_000, ("es", 0.5)),
            ("c", 600_000, 200_000, ("it", 0.7)),
        ]
    ]
    record = utterance_record(auto, segments, tokenizer)
    assert (record["language"], record["language_probability"]) == ("it", 0.4)
    assert [part["language"] for part in record["segments"]] == ["it", "es", "it"]
    empty = utterance_record(auto, [], tokenizer)
    assert (empty["language"], empty["language_probability"]) == (None, 0.0)

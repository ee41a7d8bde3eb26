import pytest

from espnet_merge.decode.identify import Heard
from espnet_merge.decode.record import Said, describe
from espnet_merge.decode.search import Hypothesis
from espnet_merge.decode.utterances import Utterance
from espnet_merge.whisper.prompt import load_tokenizer

UTTERANCE = Utterance("a", "a.wav", 800_000, "es", "transcribe")
SPANISH = Heard("es", 1.0)


@pytest.fixture(scope="module")
def tokenizer(micro_whisper):
    return load_tokenizer(micro_whisper)


def said(tokenizer, text, start, samples, ended=True, heard=SPANISH):
    tokens = tokenizer.encode(text, add_special_tokens=False)
    piece = UTTERANCE._replace(start=start, samples=samples)
    return Said(piece, heard, Hypothesis(tokens, -1.0 * len(tokens), ended))


def test_pieces_are_joined_in_the_order_of_time(tokenizer):
    pieces = [
        said(tokenizer, " b b", 320_000, 160_000, ended=False),
        said(tokenizer, "aa ", 0, 300_000),
        said(tokenizer, "", 500_000, 8_000),
    ]
    assert describe(UTTERANCE, pieces, tokenizer) == {
        "text": "aa b b",
        "language": "es",
        "task": "transcribe",
        "tokens": 7,
        "score": -7.0,
        "score_per_token": -0.7778,  # of nine steps: two pieces say their end
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
    record = describe(UTTERANCE, [said(tokenizer, "a", 0, 800_000)], tokenizer)
    assert record["text"] == "a"
    assert "segments" not in record


def test_timestamps_part_a_piece(tokenizer):
    zero = tokenizer.convert_tokens_to_ids("<|0.00|>")
    a, b, c = tokenizer.convert_tokens_to_ids(["a", "b", "c"])
    tokens = [zero, a, zero + 100, zero + 110, b, b, zero + 1499, zero + 1499, c]
    piece = UTTERANCE._replace(start=16_000, samples=10 * 16_000)
    one = Said(piece, SPANISH, Hypothesis(tokens, -1.0, True))
    record = describe(UTTERANCE, [one], tokenizer, timestamps=True)
    assert record["text"] == "abbc"
    segments = [(s["start"], s["end"], s["text"]) for s in record["segments"]]
    # What Whisper places after the end of the audio is placed at its end.
    assert segments == [(1.0, 3.0, "a"), (3.2, 11.0, "bb"), (11.0, 11.0, "c")]


def test_where_nobody_speaks_nothing_is_said(tokenizer):
    record = describe(UTTERANCE, [], tokenizer)
    assert (record["text"], record["score"], record["segments"]) == ("", 0, [])
    assert not record["truncated"]


def test_a_recording_has_the_language_that_is_heard_most(tokenizer):
    auto = UTTERANCE._replace(language="auto")
    pieces = [
        said(tokenizer, "a", 0, 200_000, heard=Heard("it", 0.9)),
        said(tokenizer, "b", 200_000, 400_000, heard=Heard("es", 0.5)),
        said(tokenizer, "c", 600_000, 200_000, heard=Heard("it", 0.7)),
    ]
    record = describe(auto, pieces, tokenizer)
    assert (record["language"], record["language_probability"]) == ("it", 0.4)
    assert [piece["language"] for piece in record["segments"]] == ["it", "es", "it"]
    nobody = describe(auto, [], tokenizer)
    assert (nobody["language"], nobody["language_probability"]) == (None, 0.0)

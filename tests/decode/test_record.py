import pytest

from espnet_merge.decode.record import Said, describe
from espnet_merge.decode.search import Hypothesis
from espnet_merge.decode.utterances import Utterance
from espnet_merge.whisper.prompt import load_tokenizer

UTTERANCE = Utterance("a", "a.wav", 800_000, "es", "transcribe")


@pytest.fixture(scope="module")
def tokenizer(micro_whisper):
    return load_tokenizer(micro_whisper)


def said(tokenizer, text, start, samples, ended=True):
    tokens = tokenizer.encode(text, add_special_tokens=False)
    piece = UTTERANCE._replace(start=start, samples=samples)
    return Said(piece, Hypothesis(tokens, -1.0 * len(tokens), ended))


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
        "segments": [
            {"start": 0.0, "end": 18.75, "text": "aa"},
            {"start": 20.0, "end": 30.0, "text": "b b"},
            {"start": 31.25, "end": 31.75, "text": ""},
        ],
    }


def test_a_whole_utterance_has_no_segments(tokenizer):
    record = describe(UTTERANCE, [said(tokenizer, "a", 0, 800_000)], tokenizer)
    assert record["text"] == "a"
    assert "segments" not in record


def test_where_nobody_speaks_nothing_is_said(tokenizer):
    record = describe(UTTERANCE, [], tokenizer)
    assert (record["text"], record["score"], record["segments"]) == ("", 0, [])
    assert not record["truncated"]

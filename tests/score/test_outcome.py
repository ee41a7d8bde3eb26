"""What is left of texts is enough for every score, and for every test."""

import random

import numpy as np
import pytest

from espnet_merge.score.directories import score_directories
from espnet_merge.score.outcome import read_outcome, together
from espnet_merge.score.parts import read_parts
from espnet_merge.score.translation import read_translations
from tests.score.test_translation import spoil, write


@pytest.fixture
def read(tmp_path):
    chance = random.Random(0)
    said = [
        " ".join(chance.choices([f"word{i}" for i in range(40)], k=size)) + "."
        for size in range(30)  # the first has no word but a point
    ]
    systems = [[spoil(text, share, chance) for text in said] for share in (0.3, 0.2)]
    systems[1][3] += " and on" * 40
    systems[0][4] = ""
    return write(tmp_path, said, *systems)


def test_error_rates_by_hand(tmp_path):
    reference, (hypothesis,) = write(
        tmp_path, ["One two three", "four", "five six"], ["one too", "four", "a b five"]
    )
    found = read_outcome(reference, hypothesis, "basic", "wer")
    assert found.lengths == [3, 1, 2]
    # Slots 2k + 1 are words. Two is substituted and three deleted: slots 3 and 5. In
    # "five six" two words come before the first, in slot 0, and six is deleted, slot 3.
    assert found.rows == [[3, 2], [], [0, 0, 3]]
    assert found.value == pytest.approx(100 * 5 / 6)


@pytest.mark.parametrize("metric", ["wer", "cer"])
def test_error_rates_are_those_of_the_texts(read, metric):
    reference, hypotheses = read
    scored = score_directories(reference, hypotheses, "basic")
    outcomes = [read_outcome(reference, h, "basic", metric) for h in hypotheses]
    for path, outcome in zip(hypotheses, outcomes, strict=True):
        assert outcome.value == scored[path]["metrics"][metric]["normalized"]["rate"]
    (expected,) = read_parts(reference, hypotheses, "basic", metric)
    part = together("set", outcomes)
    assert part.tokens.tolist() == expected.tokens.tolist()
    assert part.errors.tolist() == expected.errors.tolist()
    assert [x.tolist() for x in part.slots] == [x.tolist() for x in expected.slots]
    # Without an utterance the rate is what its influence says, nearly.
    (own, _), whole = part.influences(), part.values()[0]
    assert own.sum() == pytest.approx(0)
    left = np.delete(part.errors[:, 0], 7).sum() / np.delete(part.tokens, 7).sum()
    share = 1 - part.tokens[7] / part.tokens.sum()
    assert whole - 100 * left == pytest.approx(own[7] / share)


def test_bleu_is_that_of_the_texts(read):
    reference, hypotheses = read
    scored = score_directories(reference, hypotheses, "basic", ["bleu"])
    outcomes = [read_outcome(reference, h, "basic", "bleu") for h in hypotheses]
    for path, outcome in zip(hypotheses, outcomes, strict=True):
        expected = scored[path]["metrics"]["bleu"]["raw"]["score"]
        assert outcome.value == pytest.approx(expected)
    (expected,) = read_translations(reference, hypotheses, "none", "bleu")
    part = together("set", outcomes)
    for found, own in zip(part.statistics, expected.statistics, strict=True):
        assert found.tolist() == own.tolist()
    # Influences are good for a variance: about that of the bootstrap.
    spread = 30 / 29 * (part.influences()[0] ** 2).sum()
    assert spread == pytest.approx(part.resampled(1000)[:, 0].var(), rel=0.3)


def test_the_digest_is_of_the_set_and_of_the_rules(read):
    reference, (one, two) = read
    digest = read_outcome(reference, one, "basic", "wer").digest
    assert read_outcome(reference, two, "basic", "wer").digest == digest
    assert read_outcome(reference, one, "none", "wer").digest != digest
    assert read_outcome(reference, one, "basic", "cer").digest != digest
    assert read_outcome(reference, one, "basic", "bleu").digest != digest
    text = (reference / "text").read_text()
    (reference / "text").write_text(text.replace("word1 ", "word2 ", 1))
    assert read_outcome(reference, one, "basic", "wer").digest != digest

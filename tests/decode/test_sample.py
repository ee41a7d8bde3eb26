from collections import Counter

import pytest
import torch

from espnet_merge.decode.sample import Draw, sample
from espnet_merge.decode.search import Rules, search
from espnet_merge.whisper.model import Encoded, decode, logits
from tests.decode.test_search import END, PROMPTS, encoded, noise, talkative

SEEDS = [11, 12, 13, 14]


def draws(temperature, seeds=SEEDS):
    return [Draw(row, temperature, seed) for row, seed in enumerate(seeds)]


def test_the_batch_changes_nothing(tmp_path):
    model = talkative(tmp_path, 2)
    audio, rules = encoded(model, noise(0)), Rules.of(model, END, 12)
    together = sample(model, audio, PROMPTS, rules, draws(0.8))
    assert together == sample(model, audio, PROMPTS, rules, draws(0.8))
    assert together != sample(model, audio, PROMPTS, rules, draws(0.8, SEEDS[::-1]))
    for row, seed in enumerate(SEEDS):
        one = audio.select(torch.tensor([row]))
        [alone] = sample(model, one, PROMPTS[row : row + 1], rules, draws(0.8, [seed]))
        assert alone.tokens == together[row].tokens
        assert alone.score == pytest.approx(together[row].score, abs=1e-3)
        assert alone.temperature == 0.8


def test_each_text_has_its_own_temperature(tmp_path):
    model = talkative(tmp_path, 2)
    audio, rules = encoded(model, noise(0)), Rules.of(model, END, 12)
    mixed = [Draw(row, 0.2 + 0.2 * row, seed) for row, seed in enumerate(SEEDS)]
    for row, found in enumerate(sample(model, audio, PROMPTS, rules, mixed)):
        same = sample(model, audio, PROMPTS, rules, draws(mixed[row].temperature))
        assert (found.tokens, found.temperature) == (
            same[row].tokens,
            same[row].temperature,
        )


def test_a_low_temperature_is_greedy_search(tmp_path):
    model = talkative(tmp_path, 1)
    audio, rules = encoded(model, noise(0)), Rules.of(model, END, 12)
    cold = sample(model, audio, PROMPTS, rules, draws(1e-4))
    for one, other in zip(cold, search(model, audio, PROMPTS, rules), strict=True):
        assert (one.tokens, one.ended) == (other.tokens, other.ended)
        assert one.score == pytest.approx(other.score, abs=1e-3)


@torch.no_grad()
def test_tokens_are_as_frequent_as_they_are_probable(tmp_path):
    model = talkative(tmp_path, 0)
    one = encoded(model, noise(0)).select(torch.tensor([0]))
    count, temperature = 400, 0.7
    many = Encoded(one.states.expand(count, -1, -1), one.mask.expand(count, -1, -1, -1))
    prompts = PROMPTS[:1].expand(count, -1)
    rules = Rules(END, 1, suppress_tokens=list(range(10, 1865)))
    drawn = sample(model, many, prompts, rules, draws(temperature, range(count)))
    found = Counter(hypothesis.tokens[0] for hypothesis in drawn)
    decoder = model.model.decoder
    scores = logits(decoder, decode(decoder, PROMPTS[:1], one))[0, -1, :10]
    expected = (scores / temperature).softmax(-1)
    for token, probability in enumerate(expected.tolist()):
        spread = (count * probability * (1 - probability)) ** 0.5
        assert abs(found[token] - count * probability) < 5 * spread + 1

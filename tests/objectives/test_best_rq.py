"""BEST-RQ on a micro Whisper's encoder."""

import math

import pytest
import torch

from espnet_merge.errors import InputError
from espnet_merge.objectives.best_rq import (
    BestRQ,
    BestRQConf,
    perplexity,
    positions,
)
from espnet_merge.whisper.model import encode, load_whisper

LENGTHS = torch.tensor([200, 120])


@pytest.fixture
def features():
    generator = torch.Generator().manual_seed(0)
    speech = torch.randn(2, 200, 80, generator=generator)
    speech[0, 150:] = -1.5  # digital silence
    return speech


@pytest.fixture
def encoder(micro_whisper):
    return load_whisper(micro_whisper).train().model.encoder


def head(**conf) -> BestRQ:
    torch.manual_seed(0)
    return BestRQ(80, 64, BestRQConf(codebook_size=32, code_dim=4, **conf))


def test_labels_are_the_nearest_codes(features):
    best_rq = head()
    best_rq.measure([(features, LENGTHS)], lambda value: value)
    labels = best_rq.labels(features)
    assert labels.shape == (2, 100)
    heard = torch.cat([features[0, :150], features[1, :120]])
    normal = (features[1] - heard.mean(0)) / heard.std(0, correction=0)
    for position in (0, 7, 59):
        code = normal[2 * position : 2 * position + 2].flatten() @ best_rq.projection
        code = code / code.norm()
        distances = (best_rq.codebook - code).norm(dim=1)
        assert labels[1, position] == distances.argmin()


def test_labels_do_not_depend_on_the_precision_of_a_training(features):
    best_rq = head()
    best_rq.measure([(features, LENGTHS)], lambda value: value)
    with torch.autocast("cpu", torch.bfloat16):
        labels = best_rq.labels(features)
    assert torch.equal(labels, best_rq.labels(features))


def test_only_speech_is_masked(features):
    best_rq = head(mask_probability=0.05)
    masked = best_rq.draw(features, LENGTHS)
    assert best_rq.weigh(masked) == masked.sum() / 2
    assert not masked[0, 150:].any()
    assert not masked[1, 120:].any()
    for row in masked:
        assert row.any()
    # Whole encoder positions, and spans of at least their length.
    assert torch.equal(masked[:, ::2], masked[:, 1::2])


def test_an_utterance_in_which_no_span_begins_gets_one():
    heard = torch.ones(4, 300, dtype=torch.bool)
    masked = head(mask_probability=1e-9).draw_mask(heard)
    assert ((masked.sum(1) > 0) & (masked.sum(1) <= 40)).all()


def test_loss_begins_near_chance_and_trains_head_and_encoder(features, encoder):
    best_rq = head()
    loss, stats, count = best_rq(encoder, features, LENGTHS)
    assert loss.item() == pytest.approx(math.log(32), rel=0.3)
    assert 0 <= stats["acc"] <= 1
    assert 1 < stats["perplexity"] <= 32
    assert 0 < count < 160
    loss.backward()
    assert best_rq.head.weight.grad.any()
    assert encoder.layers[0].fc1.weight.grad.any()
    assert encoder.conv1.weight.grad.any()


def test_the_loss_falls_when_trained(features, encoder):
    best_rq = head(mask_probability=0.05)
    parameters = [*best_rq.parameters(), *encoder.parameters()]
    optimizer = torch.optim.Adam([p for p in parameters if p.requires_grad], lr=3e-3)
    losses = []
    for _ in range(30):
        loss, *_ = best_rq(encoder, features, LENGTHS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.5


def test_a_batch_is_the_mean_over_the_masked_positions_of_its_parts(
    features, encoder, monkeypatch
):
    monkeypatch.setattr("espnet_merge.objectives.best_rq.NOISE", 0.0)
    best_rq = head()
    masked = torch.zeros(2, 200, dtype=torch.bool)
    masked[0, 40:80] = masked[1, :4] = True

    def loss(rows):
        found = best_rq(encoder, features[rows], LENGTHS[rows], masked[rows])
        return found[0].item(), found[2]

    (one, few), (other, many) = loss([0]), loss([1])
    whole, count = loss([0, 1])
    assert (few, many, count) == (20, 2, positions(masked).sum())
    assert whole == pytest.approx((one * few + other * many) / count, rel=1e-5)


def test_codebook_is_frozen_and_made_anew():
    first, second, other = head(), head(), head(seed=1)
    saved = {"head.weight", "head.bias", "mean", "deviation"}
    assert set(first.state_dict()) == saved
    assert torch.equal(first.codebook, second.codebook)
    assert torch.equal(first.projection, second.projection)
    assert not torch.equal(first.codebook, other.codebook)


def test_silence_alone_has_no_finite_loss(encoder):
    silence = torch.full((1, 100, 80), -1.5)
    loss, _, count = head()(encoder, silence, torch.tensor([100]))
    assert not loss.isfinite()
    assert count == 0


def speech_like(seed: int, frames: int = 4000) -> torch.Tensor:
    """Bins of unequal mean and spread, as those of a log-mel spectrogram."""
    generator = torch.Generator().manual_seed(seed)
    steps = torch.linspace(0, 1, 80)
    noise = torch.randn(1, frames, 80, generator=generator)
    return 3 - 4 * steps + (0.05 + steps) * noise


def test_bins_are_normalised_over_the_corpus():
    """Without it the mean spectrum decides the code, and one takes all."""
    best_rq = BestRQ(80, 64, BestRQConf(codebook_size=512))
    speech = speech_like(0)
    before = perplexity(torch.bincount(best_rq.labels(speech)[0], minlength=512))
    parts = [(speech[:, :1000], torch.tensor([1000]))]
    parts += [(speech[:, 1000:], torch.tensor([3000]))]
    said = best_rq.measure(parts, lambda value: value)
    torch.testing.assert_close(best_rq.mean, speech[0].mean(0))
    torch.testing.assert_close(best_rq.deviation, speech[0].std(0, correction=0))
    after = perplexity(torch.bincount(best_rq.labels(speech)[0], minlength=512))
    assert before < 20
    assert after > 200
    assert f"perplexity {after:.0f} of 512 codes, the commonest" in said
    assert "over 2000 positions" in said


def test_the_noise_of_a_mask_has_the_deviations_of_the_corpus(encoder, monkeypatch):
    best_rq = BestRQ(80, 64, BestRQConf(codebook_size=32, code_dim=4))
    speech, lengths = speech_like(1), torch.tensor([3000])
    best_rq.measure([(speech, lengths)], lambda value: value)
    heard = []
    monkeypatch.setattr(
        "espnet_merge.objectives.best_rq.encode",
        lambda encoder, features, lengths: heard.append(features) or encode(
            encoder, features, lengths
        ),
    )  # fmt: skip
    masked = torch.zeros(1, 3000, dtype=torch.bool)
    masked[:, :2000] = True
    best_rq(encoder, speech[:, :3000], lengths, masked)
    noise = (heard[0][0, :2000] - best_rq.mean) / best_rq.deviation
    assert noise.mean().abs() < 0.001
    assert noise.std() == pytest.approx(0.1, rel=0.01)
    assert torch.equal(heard[0][0, 2000:], speech[0, 2000:3000])


def test_labels_of_few_codes_are_refused():
    """Speech that is always the same: nothing is left to learn."""
    best_rq = BestRQ(80, 64, BestRQConf())
    speech = speech_like(0, 4).repeat(1, 5000, 1)
    with pytest.raises(InputError) as refused:
        best_rq.measure([(speech, torch.tensor([20_000]))], lambda value: value)
    message = str(refused.value)
    assert "perplexity from 205 on; got perplexity 2 of 8192 codes" in message
    assert "the commonest 50.0%, over 10000 positions" in message
    # A small sample cannot show more codes than it has positions.
    few = speech_like(0, 400)
    assert best_rq.measure([(few, torch.tensor([400]))], lambda value: value)


@pytest.mark.parametrize(
    "conf",
    [
        {"mask_probability": 0},
        {"mask_frames": 0},
        {"mask_probability": 2},
        {"floor": 1.5},
    ],
)
def test_values_out_of_range(conf):
    with pytest.raises(InputError, match="best_rq"):
        head(**conf)

"""BEST-RQ on a micro Whisper's encoder."""

import math

import pytest
import torch

from espnet_merge.errors import InputError
from espnet_merge.objectives.best_rq import BestRQ, BestRQConf, positions
from espnet_merge.whisper.model import load_whisper

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
    audible = best_rq.audible(features, LENGTHS)
    labels = best_rq.labels(features, audible)
    assert labels.shape == (2, 100)
    heard = features[1, :120]
    normal = (heard - heard.mean()) / heard.std(correction=0)
    for position in (0, 7, 59):
        code = normal[2 * position : 2 * position + 2].flatten() @ best_rq.projection
        code = code / code.norm()
        distances = (best_rq.codebook - code).norm(dim=1)
        assert labels[1, position] == distances.argmin()


def test_only_speech_is_masked(features):
    best_rq = head(mask_probability=0.05)
    masked = best_rq.draw_mask(best_rq.audible(features, LENGTHS))
    assert not masked[0, 150:].any()
    assert not masked[1, 120:].any()
    for row in masked:
        assert row.any()
    # Whole encoder positions, and spans of at least their length.
    assert torch.equal(masked[:, ::2], masked[:, 1::2])


def test_an_utterance_in_which_no_span_begins_gets_one():
    audible = torch.ones(4, 300, dtype=torch.bool)
    masked = head(mask_probability=1e-9).draw_mask(audible)
    assert ((masked.sum(1) > 0) & (masked.sum(1) <= 40)).all()


def test_loss_begins_near_chance_and_trains_head_and_encoder(features, encoder):
    best_rq = head()
    loss, share, count = best_rq(encoder, features, LENGTHS)
    assert loss.item() == pytest.approx(math.log(32), rel=0.3)
    assert 0 <= share <= 1
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
    assert set(first.state_dict()) == {"head.weight", "head.bias"}
    assert torch.equal(first.codebook, second.codebook)
    assert torch.equal(first.projection, second.projection)
    assert not torch.equal(first.codebook, other.codebook)


def test_silence_alone_has_no_finite_loss(encoder):
    silence = torch.full((1, 100, 80), -1.5)
    loss, _, count = head()(encoder, silence, torch.tensor([100]))
    assert not loss.isfinite()
    assert count == 0


@pytest.mark.parametrize(
    "conf", [{"mask_probability": 0}, {"mask_frames": 0}, {"mask_probability": 2}]
)
def test_values_out_of_range(conf):
    with pytest.raises(InputError, match="best_rq"):
        head(**conf)

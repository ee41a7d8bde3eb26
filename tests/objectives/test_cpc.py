"""Contrastive prediction on a micro Whisper's encoder."""

import math

import pytest
import torch

from espnet_merge.errors import InputError
from espnet_merge.objectives.cpc import ContrastivePrediction, CPCConf
from espnet_merge.whisper.model import encode, load_whisper

LENGTHS = torch.tensor([200, 120, 200])


@pytest.fixture
def features():
    speech = torch.randn(3, 200, 80, generator=torch.Generator().manual_seed(0))
    speech[2, 18:] = -1.5  # digital silence
    return speech


@pytest.fixture
def encoder(micro_whisper):
    return load_whisper(micro_whisper).model.encoder


def head(**conf) -> ContrastivePrediction:
    torch.manual_seed(0)
    return ContrastivePrediction(64, CPCConf(**{"steps": 5, **conf}))


def test_loss_by_hand(features, encoder):
    cpc, cuts = head(temperature=0.5), torch.tensor([40, 30, 0])
    loss, stats, count = cpc(encoder, features, LENGTHS, cuts)
    assert count == 10 == cpc.weigh(cuts)
    predicted, future = [], []
    for row, cut in ((0, 40), (1, 30)):
        # Alone, so that nothing of the future can leak into the context.
        context = encode(encoder, features[row : row + 1, : 2 * cut]).states[0, -1]
        predicted += list((cpc.head.weight @ context).view(5, 64))
        following = features[row : row + 1, 2 * cut : 2 * cut + 10]
        future += list(encode(encoder, following).states[0])
    scores = torch.stack(
        [torch.cosine_similarity(p, torch.stack(future), dim=-1) for p in predicted]
    )
    expected = -(scores / 0.5).log_softmax(-1).diagonal().mean()
    torch.testing.assert_close(loss, expected)
    assert stats["acc"] == (scores.argmax(-1) == torch.arange(10)).float().mean()


def test_cuts_leave_room_on_both_sides(features):
    cpc = head()
    drawn = torch.stack([cpc.draw(features, LENGTHS) for _ in range(300)])
    assert (drawn[:, 0].min(), drawn[:, 0].max()) == (5, 95)
    assert (drawn[:, 1].min(), drawn[:, 1].max()) == (5, 55)
    # Nine positions are audible, ten are needed.
    assert not drawn[:, 2].any()


def test_no_utterance_is_long_enough(features, encoder):
    loss, _, count = head()(encoder, features[2:], LENGTHS[2:])
    assert loss.isnan()
    assert count == 0


def test_the_loss_falls_when_trained(features, encoder):
    cpc, cuts = head(), torch.tensor([40, 30, 0])
    parameters = [*cpc.parameters(), *encoder.parameters()]
    optimizer = torch.optim.Adam([p for p in parameters if p.requires_grad], lr=3e-3)
    losses = []
    for _ in range(20):
        loss, *_ = cpc(encoder, features, LENGTHS, cuts)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(math.log(10), rel=0.5)
    assert losses[-1] < losses[0] - 1


@pytest.mark.parametrize("conf", [{"steps": 0}, {"temperature": 0}])
def test_values_out_of_range(conf):
    with pytest.raises(InputError, match="cpc must have"):
        head(**conf)

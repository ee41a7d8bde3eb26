"""CPC: learn from speech alone by telling the true future from other futures."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from espnet_merge.errors import InputError
from espnet_merge.objectives.best_rq import STACK, audible
from espnet_merge.whisper.model import encode


@dataclass(frozen=True, kw_only=True)
class CPCConf:
    """Sizes of CPC.

    Args:
        steps: number of positions of 20 ms to predict, at least 1.
        temperature: divides the cosines, positive.

    Raises:
        InputError: a value out of range.
    """

    steps: int = 25
    temperature: float = 0.1

    def __post_init__(self) -> None:
        if self.steps < 1 or not self.temperature > 0:
            raise InputError(
                "cpc must have steps >= 1 and temperature > 0; got "
                f"{self.steps} and {self.temperature}."
            )


class ContrastivePrediction(nn.Module):
    r"""CPC's loss: cross entropy of the true future among all futures of the batch.

    .. math:: \ell_u = -\frac{1}{BK} \sum_{b, k} \log
        \frac{\exp(\cos(W_k c_b, z_{b,k}) / T)}{\sum_{b', k'}
        \exp(\cos(W_k c_b, z_{b',k'}) / T)}

    An utterance is cut at a random position. c is the encoder's state at the last
    position before the cut, z are the K states after it. Both parts are encoded
    separately, because Whisper's encoder would otherwise see the future. The other
    futures of the batch are the negatives. So, unlike a mean over tokens, the loss
    depends on how utterances are batched.

    Source: van den Oord et al., *Representation Learning with Contrastive Predictive
    Coding*, 2018, Sec. 2, https://arxiv.org/abs/1807.03748 (one linear map per step);
    the self-supervised loss in the code of Saif et al., *Objective Soups*, 2025
    (context and future encoded separately, cosines at a temperature of 0.1).
    Departures from that code: it predicts each step from its last prediction, with one
    map for all. Utterances with fewer than K positions on a side are left out [ours].

    Args:
        d_model: size of the encoder's states.
        conf: sizes.
    """

    def __init__(self, d_model: int, conf: CPCConf) -> None:
        super().__init__()
        self.conf = conf
        self.head = nn.Linear(d_model, conf.steps * d_model, bias=False)

    def forward(
        self,
        encoder: WhisperEncoder,
        features: Tensor,
        lengths: Tensor,
        drawn: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor], int]:
        """Return the loss, the fraction of futures found, and the number of futures.

        Args:
            encoder: ``model.model.encoder``.
            features: (batch, frames, n_mels), an even number of frames.
            lengths: (batch,) valid frames.
            drawn: positions returned by ``draw``; None draws them here.
        """
        cuts = self.draw(features, lengths) if drawn is None else drawn
        features, cuts = features[cuts > 0], cuts[cuts > 0]
        if not len(cuts):
            nothing = features.new_tensor(float("nan"))
            return nothing, {"acc": nothing}, 0
        past = encode(encoder, features[:, : STACK * int(cuts.max())], STACK * cuts)
        context = past.states[torch.arange(len(cuts)), cuts - 1]
        frames = torch.arange(STACK * self.conf.steps, device=cuts.device)
        rows = torch.arange(len(cuts), device=cuts.device)[:, None]
        future = encode(encoder, features[rows, STACK * cuts[:, None] + frames]).states
        predicted = self.head(context).view(future.shape)
        cosines = (
            normalize(predicted.flatten(0, 1), dim=-1)
            @ normalize(future.flatten(0, 1), dim=-1).T
        )
        scores = cosines.float() / self.conf.temperature
        true = torch.arange(len(scores), device=scores.device)
        right = (scores.detach().argmax(-1) == true).float().mean()
        return cross_entropy(scores, true), {"acc": right}, len(true)

    def draw(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Draw the position (batch,) to cut each utterance at; 0 if it is too short."""
        # After the last audible frame comes added silence.
        audible_frames = audible(features, lengths)
        frames = torch.arange(audible_frames.shape[1], device=audible_frames.device)
        ends = ((frames + 1) * audible_frames).amax(1) // STACK
        spare = ends - 2 * self.conf.steps
        chance = torch.rand(len(ends), device=ends.device)
        cuts = self.conf.steps + (chance * (spare + 1)).floor().long()
        return cuts.masked_fill(spare < 0, 0)

    def weigh(self, drawn: Tensor) -> int:
        """Return the number of futures to predict."""
        return int((drawn > 0).sum()) * self.conf.steps

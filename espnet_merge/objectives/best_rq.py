"""BEST-RQ: learn from speech alone by predicting the labels of masked frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from espnet_merge.errors import InputError
from espnet_merge.whisper.model import encode

STACK = 2  # mel frames of one encoder position
NOISE = 0.1  # deviation of the noise in masked frames, relative to that of a mel bin

Sum = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class BestRQConf:
    """Sizes and masks of BEST-RQ.

    Args:
        codebook_size: number of codes, at least 2.
        code_dim: size of a code.
        mask_probability: probability that a span begins at a frame, in (0, 1].
        mask_frames: length of a span, in frames of 10 ms.
        seed: of projection and codebook, which are not saved but drawn again.
        floor: lowest allowed perplexity of the labels, as a fraction in [0, 1] of its
            maximum: the number of codes, or of labels if that is smaller.

    Raises:
        InputError: a value out of range.
    """

    codebook_size: int = 8192
    code_dim: int = 16
    mask_probability: float = 0.01
    mask_frames: int = 40
    seed: int = 0
    floor: float = 0.025

    def __post_init__(self) -> None:
        if self.codebook_size < 2 or self.code_dim < 1 or self.mask_frames < 1:
            raise InputError(
                "best_rq must have codebook_size >= 2, code_dim >= 1, mask_frames >= 1;"
                f" got {self.codebook_size}, {self.code_dim}, {self.mask_frames}."
            )
        if not 0 < self.mask_probability <= 1:
            raise InputError(
                "best_rq.mask_probability must be in (0, 1]; got "
                f"{self.mask_probability}."
            )
        if not 0 <= self.floor <= 1:
            raise InputError(f"best_rq.floor must be in [0, 1]; got {self.floor}.")


class BestRQ(nn.Module):
    r"""BEST-RQ's loss: cross entropy of the quantised features at masked positions.

    .. math:: y_t = \arg\min_k \left\| \frac{c_k}{\|c_k\|}
        - \frac{A x_t}{\|A x_t\|} \right\|, \quad
        \ell_u = -\frac{1}{|T|} \sum_{t \in T} \log p(y_t \mid \tilde{x})

    x are mel frames, normalised to mean 0 and deviation 1 of each bin over the corpus;
    two frames are stacked to one encoder position. The projection A and the codebook c
    are random and never trained. Spans of frames T begin with a small probability at
    each frame and are replaced by noise of mean 0 and deviation 0.1. Without the
    normalisation nearly all frames would get one of a few codes.

    Source: Chiu et al., *Self-Supervised Learning with Random-Projection Quantizer for
    Speech Recognition*, ICML 2022, Sec. 3, https://arxiv.org/abs/2202.01855.
    Departures from it: two frames are stacked, not four, because Whisper's encoder
    halves the frame rate. Mean and deviation are those of a sample of the corpus, see
    ``measure``. Digital silence, where all mel bins are equal, is neither masked nor
    predicted, because it follows every utterance. An utterance in which no span begins
    gets one. The paper Objective Soups names BEST-RQ, but its authors' code has CPC in
    its place: see ``objectives.cpc``.

    Args:
        n_mels: mel bins of the features.
        d_model: size of the encoder's states.
        conf: sizes and masks.
    """

    projection: Tensor
    codebook: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, n_mels: int, d_model: int, conf: BestRQConf) -> None:
        super().__init__()
        self.conf = conf
        fixed = torch.Generator().manual_seed(conf.seed)
        projection = torch.empty(STACK * n_mels, conf.code_dim)
        nn.init.xavier_normal_(projection, generator=fixed)
        codebook = normalize(
            torch.randn(conf.codebook_size, conf.code_dim, generator=fixed)
        )
        self.register_buffer("projection", projection, persistent=False)
        self.register_buffer("codebook", codebook, persistent=False)
        self.register_buffer("mean", torch.zeros(n_mels))
        self.register_buffer("deviation", torch.ones(n_mels))
        self.head = nn.Linear(d_model, conf.codebook_size)

    def forward(
        self,
        encoder: WhisperEncoder,
        features: Tensor,
        lengths: Tensor,
        drawn: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor], int]:
        """Return the loss, statistics, and the number of masked positions.

        Args:
            encoder: ``model.model.encoder``.
            features: (batch, frames, n_mels), an even number of frames.
            lengths: (batch,) valid frames.
            drawn: the mask returned by ``draw``; None draws it here.

        Returns:
            Statistics: ``acc``, the fraction of positions predicted correctly, and
            ``perplexity`` of the labels of this batch.
        """
        masked = self.draw(features, lengths) if drawn is None else drawn
        noise = self.mean + self.deviation * NOISE * torch.randn_like(features)
        masked_features = torch.where(masked[..., None], noise, features)
        states = encode(encoder, masked_features, lengths).states
        predicted = positions(masked)
        labels = self.labels(features)[predicted]
        scores = self.head(states[predicted])
        counts = torch.bincount(labels, minlength=len(self.codebook))
        stats = {
            "acc": (scores.detach().argmax(-1) == labels).float().mean(),
            "perplexity": perplexity(counts).float(),
        }
        return cross_entropy(scores.float(), labels), stats, len(labels)

    def draw(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Draw the mask (batch, frames) of a batch: spans of masked frames."""
        return self.draw_mask(audible(features, lengths))

    def weigh(self, drawn: Tensor) -> int:
        """Return the number of positions to predict under a mask."""
        return int(positions(drawn).sum())

    def labels(self, features: Tensor) -> Tensor:
        """Return the labels (batch, positions): the nearest code of each position."""
        # In float32 in every training: in bfloat16 many inner products would be equal.
        with torch.autocast(features.device.type, enabled=False):
            normal = (features.float() - self.mean) / self.deviation
            stacked = normal.reshape(len(normal), -1, len(self.projection))
            # Among unit vectors the nearest has the largest inner product.
            return (stacked @ self.projection @ self.codebook.T).argmax(-1)

    @torch.no_grad()
    def measure(self, sample: Sequence[tuple[Tensor, Tensor]], total: Sum) -> str:
        """Estimate mean and deviation of each mel bin; describe the labels they give.

        Args:
            sample: features and lengths of batches.
            total: sums a tensor over all processes.

        Raises:
            InputError: the labels use too few codes to learn from.
        """
        device = self.mean.device
        frames = torch.cat([f[audible(f, n)] for f, n in sample]).double()
        count = torch.full((1, frames.shape[1]), len(frames), dtype=torch.float64)
        moments = torch.cat([frames.sum(0)[None], frames.square().sum(0)[None], count])
        first, second, counted = total(moments.to(device))
        mean = first / counted
        self.mean.copy_(mean)
        self.deviation.copy_((second / counted - mean**2).clamp(min=1e-10).sqrt())
        counts = self.projection.new_zeros(len(self.codebook), dtype=torch.float64)
        for features, lengths in sample:
            valid = positions(audible(features, lengths)).to(device)
            labels = self.labels(features.to(device))[valid]
            counts += torch.bincount(labels, minlength=len(counts))
        return self._check_perplexity(total(counts))

    def _check_perplexity(self, counts: Tensor) -> str:
        found, labels = float(perplexity(counts)), int(counts.sum())
        least = self.conf.floor * min(len(counts), labels)
        summary = (
            f"perplexity {found:.0f} of {len(counts)} codes, the commonest "
            f"{float(counts.max() / counts.sum()):.1%}, over {labels} positions"
        )
        if not found >= least:
            raise InputError(
                f"best_rq must have labels of a perplexity from {least:.0f} on; got "
                f"{summary}: take data with more speech, or a lower best_rq.floor."
            )
        return summary

    def draw_mask(self, audible: Tensor) -> Tensor:
        """Draw the mask (batch, frames) with torch's global generator."""
        chance = torch.rand(audible.shape, device=audible.device)
        chance = chance.masked_fill(~audible, 2.0)
        # If no number is small enough, the span begins at the smallest.
        begins = (chance < self.conf.mask_probability) | (
            chance == chance.amin(1, keepdim=True)
        )
        # Spans cover whole encoder positions.
        begun = begins.view(len(begins), -1, STACK).any(-1).cumsum(1)
        length = -(-self.conf.mask_frames // STACK)
        earlier = nn.functional.pad(begun, (length, 0))[:, : begun.shape[1]]
        return (begun > earlier).repeat_interleave(STACK, 1) & audible


def positions(masked: Tensor) -> Tensor:
    """Return whether all frames of a position are masked, (batch, positions).

    Args:
        masked: (batch, frames).
    """
    return masked.view(len(masked), -1, STACK).all(-1)


def audible(features: Tensor, lengths: Tensor) -> Tensor:
    """Return whether frames are valid and not digital silence, (batch, frames)."""
    places = torch.arange(features.shape[1], device=features.device)
    silent = features.amax(-1) == features.amin(-1)
    return (places < lengths[:, None]) & ~silent


def perplexity(counts: Tensor) -> Tensor:
    r"""Return :math:`\exp(-\sum p \log p)`, the effective number of codes.

    >>> perplexity(torch.tensor([5, 5, 0])), perplexity(torch.tensor([0, 7]))
    (tensor(2., dtype=torch.float64), tensor(1., dtype=torch.float64))
    """
    probabilities = counts[counts > 0].double() / counts.sum()
    return (-(probabilities * probabilities.log()).sum()).exp()

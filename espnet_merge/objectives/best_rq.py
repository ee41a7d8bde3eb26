"""BEST-RQ: learn from speech alone by naming what was masked."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from espnet_merge.errors import InputError
from espnet_merge.whisper.model import encode

STACK = 2  # mel frames of one encoder position
NOISE = 0.1  # standard deviation of what stands in for masked frames


@dataclass(frozen=True, kw_only=True)
class BestRQConf:
    """Sizes and masks of BEST-RQ.

    Args:
        codebook_size: number of labels, at least 2.
        code_dim: size of a code.
        mask_probability: of a span to begin, for each frame, in (0, 1].
        mask_frames: length of a span, in frames of 10 ms.
        seed: of projection and codebook; they are made anew and not saved.

    Raises:
        InputError: a value out of range.
    """

    codebook_size: int = 8192
    code_dim: int = 16
    mask_probability: float = 0.01
    mask_frames: int = 40
    seed: int = 0

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


class BestRQ(nn.Module):
    r"""Cross entropy of the quantised features at masked positions.

    .. math:: y_t = \arg\min_k \left\| \frac{c_k}{\|c_k\|}
        - \frac{A x_t}{\|A x_t\|} \right\|, \quad
        \ell_u = -\frac{1}{|T|} \sum_{t \in T} \log p(y_t \mid \tilde{x})

    x are normalised mel frames, two stacked to an encoder position; projection A and
    codebook c are random and never trained. Spans of frames T begin with a small
    probability at each frame and are replaced by noise.

    Source: Chiu et al., *Self-Supervised Learning with Random-Projection Quantizer for
    Speech Recognition*, ICML 2022, Sec. 3, https://arxiv.org/abs/2202.01855.
    Departures from it: two frames are stacked in place of four, for Whisper's encoder
    halves the frame rate; frames are normalised over an utterance; digital silence,
    where all mel bins are equal, is neither masked nor predicted, for it stands behind
    every utterance; an utterance in which no span begins gets one.

    Args:
        n_mels: mel bins of the features.
        d_model: size of the encoder's states.
        conf: sizes and masks.
    """

    projection: Tensor
    codebook: Tensor

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
        self.head = nn.Linear(d_model, conf.codebook_size)

    def forward(
        self,
        encoder: WhisperEncoder,
        features: Tensor,
        lengths: Tensor,
        masked: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, int]:
        """Return the loss, the share of masked positions named right, their number.

        Args:
            encoder: ``model.model.encoder``.
            features: (batch, frames, n_mels), an even number of frames.
            lengths: (batch,) valid frames.
            masked: of ``draw_mask``; None draws it here.
        """
        audible = self.audible(features, lengths)
        if masked is None:
            masked = self.draw_mask(audible)
        noise = NOISE * torch.randn_like(features)
        heard = torch.where(masked[..., None], noise, features)
        states = encode(encoder, heard, lengths).states
        predicted = positions(masked)
        labels = self.labels(features, audible)[predicted]
        scores = self.head(states[predicted])
        right = (scores.detach().argmax(-1) == labels).float().mean()
        return cross_entropy(scores.float(), labels), right, len(labels)

    def audible(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Return (batch, frames): valid and not digital silence."""
        places = torch.arange(features.shape[1], device=features.device)
        silent = features.amax(-1) == features.amin(-1)
        return (places < lengths[:, None]) & ~silent

    def labels(self, features: Tensor, audible: Tensor) -> Tensor:
        """Return (batch, positions): the nearest code of each stack of frames."""
        valid = audible[..., None]
        count = (valid.sum((1, 2), keepdim=True) * features.shape[-1]).clamp(min=1)
        mean = (features * valid).sum((1, 2), keepdim=True) / count
        centred = (features - mean) * valid
        scale = (centred.square().sum((1, 2), keepdim=True) / count).sqrt()
        normal = centred / scale.clamp(min=1e-5)
        stacked = normal.reshape(len(normal), -1, len(self.projection))
        # Among unit vectors the nearest is that of the largest inner product.
        return (stacked @ self.projection @ self.codebook.T).argmax(-1)

    def draw_mask(self, audible: Tensor) -> Tensor:
        """Return (batch, frames): spans of masked frames, from the global generator."""
        chance = torch.rand(audible.shape, device=audible.device)
        chance = chance.masked_fill(~audible, 2.0)
        # The least chance begins a span even where none is small enough.
        begins = (chance < self.conf.mask_probability) | (
            chance == chance.amin(1, keepdim=True)
        )
        # Spans cover whole encoder positions.
        begun = begins.view(len(begins), -1, STACK).any(-1).cumsum(1)
        length = -(-self.conf.mask_frames // STACK)
        earlier = nn.functional.pad(begun, (length, 0))[:, : begun.shape[1]]
        return (begun > earlier).repeat_interleave(STACK, 1) & audible


def positions(masked: Tensor) -> Tensor:
    """Return (batch, positions): where all frames of a position are masked.

    Args:
        masked: (batch, frames).
    """
    return masked.view(len(masked), -1, STACK).all(-1)

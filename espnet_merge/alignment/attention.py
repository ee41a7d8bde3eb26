"""Where each head of a decoder looks in the audio while a known text is read to it."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from espnet_merge.arrays import Array, Float
from espnet_merge.speech import SAMPLE_RATE
from espnet_merge.statistics.utterances import Target
from espnet_merge.whisper.features import log_mel

if TYPE_CHECKING:
    from transformers import WhisperForConditionalGeneration

POSITIONS = 50  # of the encoder, in a second


class Attention(NamedTuple):
    """Attention of all heads over an utterance.

    Attributes:
        name: of the utterance.
        weights: (heads, rows, positions): of the encoder's positions that hold audio;
            each row sums to 1. The first row predicts the first token, row i is that of
            token i, which predicts the next: it begins where token i ends.
        ids: tokens of the text.
    """

    name: str
    weights: NDArray[np.float32]
    ids: list[int]


@torch.inference_mode()
def attention_of(
    model: "WhisperForConditionalGeneration", target: Target, audio: NDArray[np.float32]
) -> Attention:
    """Return what all heads look at; the audio is padded to the model's window.

    Args:
        model: whose attention is ``eager``, for no other tells its weights.
        target: utterance and text.
        audio: its samples at 16 kHz.
    """
    config = model.config
    window = config.max_source_positions / POSITIONS
    mel = log_mel(audio, n_mels=config.num_mel_bins, pad_to=window)
    features = torch.from_numpy(mel.T)[None].to(model.device)
    hidden = model.model.encoder(features).last_hidden_state
    ids = torch.tensor([target.ids[:-1]], device=model.device)
    found = model.model.decoder(
        input_ids=ids, encoder_hidden_states=hidden, output_attentions=True
    ).cross_attentions
    positions = max(1, audio.shape[0] * POSITIONS // SAMPLE_RATE)
    heads = torch.cat(found, dim=1)[0, :, target.prompt - 1 :, :positions]
    weights = heads / heads.sum(-1, keepdim=True)
    text = target.ids[target.prompt : -1]
    return Attention(target.utterance.name, weights.cpu().numpy(), text)


def filtered(
    weights: Float[Array, "heads rows positions"], width: int
) -> Float[Array, "heads rows positions"]:
    """Normalise over the rows and smooth over time, as openai-whisper does.

    Args:
        weights: of attention.
        width: of the median filter, ``config.median_filter_width``.
    """
    mean, spread = (f(weights, axis=1, keepdims=True) for f in (np.mean, np.std))
    normal = (weights - mean) / np.maximum(spread, np.finfo(np.float32).tiny)
    if normal.shape[-1] <= width // 2:
        return normal
    return median_filter(normal, size=(1, 1, width), mode="mirror")


def open_model(path: Path) -> "WhisperForConditionalGeneration":
    """Return a Whisper that tells its attention.

    Raises:
        InputError: the directory holds none.
    """
    from espnet_merge.whisper.model import load_whisper

    model = load_whisper(path)
    model.set_attn_implementation("eager")
    return model

"""Batches of utterances, their features and encoder states."""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.utils.rnn import pad_sequence
from transformers import WhisperForConditionalGeneration

from espnet_merge.decode.utterances import Utterance, read_audio
from espnet_merge.whisper.features import log_mel
from espnet_merge.whisper.model import Encoded, encode


def batches(utterances: Sequence[Utterance], size: int) -> list[list[Utterance]]:
    """Return batches of utterances, the longest first.

    A batch that does not fit into memory thus fails at once, not at the end.
    """
    ordered = sorted(utterances, key=lambda u: (-u.samples, u.name, u.start))
    return [list(batch) for batch in itertools.batched(ordered, size)]


def features(
    batch: Sequence[Utterance], n_mels: int, pad_to: float, tail: float = 0.0
) -> list[NDArray[np.float32]]:
    """Read the audio and return the log-mel spectrogram of each utterance.

    Args:
        batch: the utterances.
        n_mels: mel channels that the model takes.
        pad_to: seconds to pad each utterance to; 0 keeps the true length.
        tail: seconds of silence added to each utterance before it is padded.

    Raises:
        InputError: a file is not what its header says.
    """
    return [
        log_mel(read_audio(u), n_mels=n_mels, pad_to=pad_to, tail=tail) for u in batch
    ]


def encode_batch(
    whisper: WhisperForConditionalGeneration,
    batch: Sequence[Utterance],
    pad_to: float,
    tail: float = 0.0,
    adapters: Sequence[int] | None = None,
) -> Encoded:
    """Read the audio and run the encoder.

    Args:
        whisper: model; only its encoder is used.
        batch: the utterances.
        pad_to: seconds to pad each utterance to; 0 keeps the true length.
        tail: seconds of silence added to each utterance before it is padded.
        adapters: index of each utterance's adapter in ``lora.routed``; None for the
            base alone.

    Raises:
        InputError: a file is not what its header says.
    """
    arrays = features(batch, whisper.config.num_mel_bins, pad_to, tail)
    mels = [torch.from_numpy(mel) for mel in arrays]
    place = {"device": whisper.device, "dtype": whisper.dtype}
    return encode(
        whisper.model.encoder,
        pad_sequence(mels, batch_first=True).to(**place),
        torch.tensor([len(mel) for mel in mels], device=whisper.device),
        torch.tensor(adapters, device=whisper.device) if any(adapters or ()) else None,
    )

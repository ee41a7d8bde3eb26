"""The forward pass of Whisper with true-length encoder input.

The encoder of transformers accepts exactly 30 s of mel frames, and its decoder has no
mask over the encoder's positions. The functions here run the same Hugging Face modules
on any length up to 30 s, and mask the padding inside a batch. At 30 s the results equal
those of ``WhisperForConditionalGeneration``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import dropout, gelu, linear, pad
from transformers import WhisperForConditionalGeneration
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.models.whisper.modeling_whisper import WhisperDecoder, WhisperEncoder
from transformers.utils import logging

from espnet_merge.checkpoint.hf import open_hf
from espnet_merge.checkpoint.stored import check_stored
from espnet_merge.errors import InputError
from espnet_merge.files import CONFIG_JSON
from espnet_merge.whisper.context import set_context
from espnet_merge.whisper.generation import mended_generation


class Encoded(NamedTuple):
    """Output of the encoder for a batch.

    states: (batch, positions, d_model).
    mask: additive mask (batch, 1, 1, positions), or None if nothing is padded.
    adapters: (batch,) index of each utterance's adapter; None for the base alone.
    """

    states: Tensor
    mask: Tensor | None
    adapters: Tensor | None = None

    def select(self, rows: Tensor) -> "Encoded":
        """Return the utterances with these row indices."""
        mask, adapters = (
            None if part is None else part[rows] for part in (self.mask, self.adapters)
        )
        return Encoded(self.states[rows], mask, adapters)


def join(parts: Sequence[Encoded]) -> Encoded:
    """Concatenate batches, padded to the longest."""
    if len(parts) == 1:
        return parts[0]
    positions = max(part.states.shape[1] for part in parts)
    states, masks, adapters = [], [], []
    for part in parts:
        rows, length, _ = part.states.shape
        missing = positions - length
        mask = part.mask
        if mask is None:
            mask = part.states.new_zeros(rows, 1, 1, length)
        hidden = torch.finfo(mask.dtype).min
        masks.append(pad(mask, (0, missing), value=hidden))
        states.append(pad(part.states, (0, 0, 0, missing)))
        indices = part.adapters
        if indices is None:
            indices = torch.zeros(rows, dtype=torch.long, device=mask.device)
        adapters.append(indices)
    mask = torch.cat(masks) if any(mask.any() for mask in masks) else None
    indices = torch.cat(adapters) if any(x.any() for x in adapters) else None
    return Encoded(torch.cat(states), mask, indices)


def load_whisper(
    path: Path, dtype: torch.dtype | Literal["auto"] = torch.float32
) -> WhisperForConditionalGeneration:
    """Load a Hugging Face Whisper directory, in evaluation mode.

    Args:
        path: the directory.
        dtype: type of the weights; ``auto`` is that of the file.

    Raises:
        InputError: not such a directory, or weights are missing, left over, or in a
            file that is damaged or asks to run code; or the output projection is not
            the token embedding.
    """
    if not (path / CONFIG_JSON).is_file():
        raise InputError(
            f"{path}: a Hugging Face Whisper directory (config.json, "
            "model.safetensors) is needed; make one with 'espnet-merge fetch'."
        )
    check_stored(path)
    open_hf(path)  # reads headers alone, and tells in a line what is wrong with a file
    logging.disable_progress_bar()  # loading takes a second; we have our own bars
    model, info = WhisperForConditionalGeneration.from_pretrained(
        path,
        dtype=dtype,
        generation_config=mended_generation(path),
        local_files_only=True,
        output_loading_info=True,
    )
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        # Transformers only warns, and fills what is missing with random numbers.
        if names := sorted(map(str, info[kind])):
            raise InputError(
                f"{path}: weights must fit config.json; {kind.replace('_', ' ')}: "
                f"{', '.join(names[:3])} ({len(names)} in all)."
            )
    _check_projection(path, model)
    # The encoder's sinusoids must stay fixed; loading makes them trainable.
    model.model.encoder.embed_positions.requires_grad_(False)
    return model.eval()


def _check_projection(path: Path, model: WhisperForConditionalGeneration) -> None:
    """Refuse a projection of its own, which ``logits`` would not use."""
    own, shared = model.proj_out.weight, model.model.decoder.embed_tokens.weight
    if own is not shared and not torch.equal(own, shared):
        raise InputError(
            f"{path}: the output projection (proj_out) must be the token embedding, as"
            " in every published Whisper; it is another: save the model with"
            " tie_word_embeddings true and both the same."
        )


def encode(
    encoder: WhisperEncoder,
    features: Tensor,
    lengths: Tensor | None = None,
    adapters: Tensor | None = None,
) -> Encoded:
    """Run the encoder over a batch of mel frames of any length up to 30 s.

    Args:
        encoder: ``model.model.encoder``.
        features: (batch, frames, n_mels), an even number of frames, at most 3000.
        lengths: (batch,) valid frames of each utterance; None if nothing is padded.
        adapters: (batch,) index of each utterance's adapter, see ``lora.routed``; None
            for the base alone.

    Returns:
        States at half as many positions as frames. States of padding have no meaning;
        the mask hides them.
    """
    frames = features.shape[1]
    limit = 2 * encoder.config.max_source_positions
    if frames > limit or frames % 2:
        raise InputError(
            f"features must have an even number of frames up to {limit}; got {frames}."
        )
    if lengths is not None and bool((lengths == frames).all()):
        lengths = None
    hidden = gelu(encoder.conv1(features.transpose(1, 2)))
    mask = None
    if lengths is not None:
        valid = torch.arange(frames, device=features.device) < lengths[:, None]
        # conv2 reads one frame past the end: make it zero, as it is for an utterance
        # that is alone in its batch.
        hidden = hidden * valid[:, None]
        mask = _additive(valid[:, None, None, ::2], hidden.dtype)
    hidden = gelu(encoder.conv2(hidden)).transpose(1, 2)
    hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
    hidden = dropout(hidden, p=encoder.dropout, training=encoder.training)
    set_context(encoder, adapters, mask)
    for layer in encoder.layers:
        hidden = layer(hidden, mask)
    return Encoded(encoder.layer_norm(hidden), mask, adapters)


def decode(
    decoder: WhisperDecoder,
    tokens: Tensor,
    encoded: Encoded,
    cache: EncoderDecoderCache | None = None,
    follows: Tensor | None = None,
    position: int | None = None,
) -> Tensor:
    """Run the decoder over ``tokens`` and return its states.

    Without ``follows`` the tokens of a row are one text. With it a row holds many
    hypotheses of one utterance that share a cache: its tokens all stand at
    ``position``, and each attends only to its own past. So beam search need not copy
    keys or values.

    Args:
        decoder: ``model.model.decoder``.
        tokens: (batch, length) ids that follow those already in the cache.
        encoded: what ``encode`` returned, of the same batch.
        cache: keys and values of earlier tokens; extended in place.
        follows: attention mask (batch, length, cached + length), true where a token
            attends.
        position: of ``tokens`` in their texts, given together with ``follows``.

    Returns:
        (batch, length, d_model); ``logits`` turns them into scores of tokens.
    """
    past = cache.get_seq_length() if cache is not None else 0
    length = tokens.shape[1]
    if position is None:
        start, stop = past, past + length
    else:
        start, stop = position, position + 1
    limit = decoder.config.max_target_positions
    if stop > limit:
        raise InputError(
            f"a text must have at most {limit} tokens, prompt and end included; "
            f"got {stop}: filter the data first."
        )
    hidden = decoder.embed_tokens(tokens)
    hidden = hidden + decoder.embed_positions.weight[start:stop]
    hidden = dropout(hidden, p=decoder.dropout, training=decoder.training)
    mask = None
    if follows is not None:
        mask = _additive(follows[:, None], hidden.dtype)
    elif length > 1:
        mask = _causal(past, length, hidden)
    set_context(decoder, encoded.adapters, encoded.mask, encoded.states)
    for layer in decoder.layers:
        # The cache goes by its place: transformers 5.24 gave the argument another name.
        hidden = layer(
            hidden,
            mask,
            encoded.states,
            encoded.mask,
            cache,
            use_cache=cache is not None,
        )
    states: Tensor = decoder.layer_norm(hidden)
    return states


def logits(
    decoder: WhisperDecoder, states: Tensor, ids: Sequence[int] | None = None
) -> Tensor:
    """Return logits; the token embedding is also the output projection.

    Args:
        decoder: ``model.model.decoder``.
        states: (…, d_model), of ``decode``.
        ids: tokens to score; None for all.
    """
    rows = decoder.embed_tokens.weight
    return linear(states, rows if ids is None else rows[list(ids)])


def new_cache() -> EncoderDecoderCache:
    """Return an empty cache of keys and values for ``decode``."""
    return EncoderDecoderCache(DynamicCache(), DynamicCache())


def _causal(past: int, length: int, like: Tensor) -> Tensor:
    """Return the mask of ``length`` tokens after ``past`` others of the same text."""
    rows = torch.arange(past, past + length, device=like.device)[:, None]
    columns = torch.arange(past + length, device=like.device)
    return _additive((columns <= rows)[None, None], like.dtype)


def _additive(valid: Tensor, dtype: torch.dtype) -> Tensor:
    mask = torch.zeros(valid.shape, dtype=dtype, device=valid.device)
    return mask.masked_fill_(~valid, torch.finfo(dtype).min)

"""What the decoder says before the words: is it speech, in which language."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear
from transformers import WhisperForConditionalGeneration, WhisperTokenizer

from espnet_merge.errors import InputError
from espnet_merge.whisper.model import Encoded, decode, logits
from espnet_merge.whisper.prompt import known_languages, language_id, token_id


class Heard(NamedTuple):
    """A language, by Whisper's code, and its probability among the candidates."""

    language: str
    probability: float


@torch.inference_mode()
def identify(
    model: WhisperForConditionalGeneration,
    encoded: Encoded,
    tokenizer: WhisperTokenizer,
    candidates: Sequence[str] | None = None,
) -> list[Heard]:
    """Return the most probable language of each utterance of a batch.

    Args:
        model: of which only the decoder is used.
        encoded: a batch of utterances.
        tokenizer: that knows the tokens of languages.
        candidates: codes to choose from; None for all that the tokenizer knows.

    Raises:
        InputError: the tokenizer lacks a candidate.
    """
    codes = list(candidates or known_languages(tokenizer))
    return _best(posterior(model, encoded, tokenizer, codes), codes)


@torch.inference_mode()
def identify_after_start(
    model: WhisperForConditionalGeneration, states: Tensor, languages: Mapping[str, int]
) -> list[Heard]:
    """Return the most probable language of each utterance, as ``identify`` does.

    Args:
        model: of which only the decoder is used.
        states: (batch, d_model) of the decoder at ``<|startoftranscript|>``.
        languages: candidates, with the ids of their tokens.
    """
    rows = model.model.decoder.embed_tokens.weight[list(languages.values())]
    return _best(linear(states, rows).float().softmax(-1), list(languages))


def _best(chances: Tensor, codes: Sequence[str]) -> list[Heard]:
    best = chances.max(-1)
    return [
        Heard(codes[index], probability)
        for index, probability in zip(
            best.indices.tolist(), best.values.tolist(), strict=True
        )
    ]


@torch.inference_mode()
def posterior(
    model: WhisperForConditionalGeneration,
    encoded: Encoded,
    tokenizer: WhisperTokenizer,
    candidates: Sequence[str],
) -> Tensor:
    """Return (batch, candidates): how probable each is; the rows sum to one.

    Args:
        model: of which only the decoder is used.
        encoded: a batch of utterances.
        tokenizer: that knows the tokens of languages.
        candidates: distinct codes.

    Raises:
        InputError: the tokenizer lacks a candidate, or two have one token.
    """
    ids = [language_id(tokenizer, code) for code in candidates]
    if len(set(ids)) < len(ids):
        raise InputError(
            f"languages that are to be told apart ({', '.join(candidates)}) must have "
            "tokens of their own; some borrow another's: drop those."
        )
    return _first(model, encoded, tokenizer)[:, ids].softmax(-1)


@torch.inference_mode()
def no_speech(
    model: WhisperForConditionalGeneration,
    encoded: Encoded,
    tokenizer: WhisperTokenizer,
) -> list[float]:
    """Return the probability that nobody speaks, of each utterance of a batch."""
    # The token is called <|nospeech|> or <|nocaptions|>; its place is always this.
    index = token_id(tokenizer, "<|notimestamps|>") - 1
    scores = _first(model, encoded, tokenizer).softmax(-1)
    chances: list[float] = scores[:, index].tolist()
    return chances


def _first(
    model: WhisperForConditionalGeneration,
    encoded: Encoded,
    tokenizer: WhisperTokenizer,
) -> Tensor:
    """Return scores (batch, vocabulary) of what follows ``<|startoftranscript|>``."""
    start = token_id(tokenizer, "<|startoftranscript|>")
    prompts = torch.full((len(encoded.states), 1), start, device=encoded.states.device)
    decoder = model.model.decoder
    return logits(decoder, decode(decoder, prompts, encoded))[:, 0].float()

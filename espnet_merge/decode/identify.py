"""What the decoder predicts first: the language, and whether there is speech."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear
from transformers import WhisperForConditionalGeneration, WhisperTokenizer

from espnet_merge.errors import InputError
from espnet_merge.whisper.model import Encoded, decode, logits
from espnet_merge.whisper.prompt import known_languages, language_id, token_id


class IdentifiedLanguage(NamedTuple):
    """The language of an utterance, identified by the model or given.

    Attributes:
        code: Whisper's code of the language.
        probability: probability among the candidates; 1 of a language that is given.
    """

    code: str
    probability: float


@torch.inference_mode()
def identify(
    model: WhisperForConditionalGeneration,
    encoded: Encoded,
    tokenizer: WhisperTokenizer,
    candidates: Sequence[str] | None = None,
) -> list[IdentifiedLanguage]:
    """Return the most probable language of each utterance in a batch.

    Args:
        model: model; only its decoder is used.
        encoded: a batch of utterances.
        tokenizer: the model's tokenizer.
        candidates: codes to choose from; None for all that the tokenizer knows.

    Raises:
        InputError: the tokenizer lacks a candidate.
    """
    codes = list(candidates or known_languages(tokenizer))
    return _best(posterior(model, encoded, tokenizer, codes), codes)


@torch.inference_mode()
def identify_after_start(
    model: WhisperForConditionalGeneration, states: Tensor, languages: Mapping[str, int]
) -> list[IdentifiedLanguage]:
    """Return the most probable language of each utterance, as ``identify`` does.

    Args:
        model: model; only the embedding of its decoder is used.
        states: (batch, d_model), states of the decoder at ``<|startoftranscript|>``.
        languages: candidates and the ids of their tokens.
    """
    rows = model.model.decoder.embed_tokens.weight[list(languages.values())]
    return _best(linear(states, rows).float().softmax(-1), list(languages))


def _best(probabilities: Tensor, codes: Sequence[str]) -> list[IdentifiedLanguage]:
    best = probabilities.max(-1)
    return [
        IdentifiedLanguage(codes[index], probability)
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
    """Return the probabilities (batch, candidates); each row sums to one.

    Args:
        model: model; only its decoder is used.
        encoded: a batch of utterances.
        tokenizer: the model's tokenizer.
        candidates: distinct codes.

    Raises:
        InputError: the tokenizer lacks a candidate, or two candidates have one token.
    """
    ids = [language_id(tokenizer, code) for code in candidates]
    if len(set(ids)) < len(ids):
        raise InputError(
            f"languages to be identified ({', '.join(candidates)}) must have tokens of "
            "their own; some borrow another's: drop those."
        )
    return _first_logits(model, encoded, tokenizer)[:, ids].softmax(-1)


@torch.inference_mode()
def no_speech(
    model: WhisperForConditionalGeneration,
    encoded: Encoded,
    tokenizer: WhisperTokenizer,
) -> list[float]:
    """Return the probability of each utterance that nobody speaks in it."""
    # The token is called <|nospeech|> or <|nocaptions|>; it always has this id.
    index = token_id(tokenizer, "<|notimestamps|>") - 1
    first = _first_logits(model, encoded, tokenizer).softmax(-1)
    probabilities: list[float] = first[:, index].tolist()
    return probabilities


def _first_logits(
    model: WhisperForConditionalGeneration,
    encoded: Encoded,
    tokenizer: WhisperTokenizer,
) -> Tensor:
    """Return the logits (batch, vocabulary) after ``<|startoftranscript|>``."""
    start = token_id(tokenizer, "<|startoftranscript|>")
    prompts = torch.full((len(encoded.states), 1), start, device=encoded.states.device)
    decoder = model.model.decoder
    return logits(decoder, decode(decoder, prompts, encoded))[:, 0].float()

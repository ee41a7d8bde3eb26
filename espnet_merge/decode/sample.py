"""Sampling texts at a temperature, for utterances where the search has failed."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import WhisperForConditionalGeneration

from espnet_merge.decode.search import Hypothesis, Rules
from espnet_merge.whisper.model import Encoded, decode, logits, new_cache


class Draw(NamedTuple):
    """A text to draw.

    Attributes:
        row: utterance of the batch that was searched.
        temperature: above 0; log-probabilities are divided by it.
        seed: of the random numbers.
    """

    row: int
    temperature: float
    seed: int


@torch.inference_mode()
def sample(
    model: WhisperForConditionalGeneration,
    encoded: Encoded,
    prompts: Tensor,
    rules: Rules,
    draws: Sequence[Draw],
) -> list[Hypothesis]:
    """Draw texts, token by token.

    A text depends on its own seed only, not on the others in the batch. Its score is
    that of its tokens at temperature 1, so that it can be compared with other scores.

    Args:
        model: model; only its decoder is used.
        encoded: the utterance of each text.
        prompts: (texts, length) ids.
        rules: which tokens are allowed, and how many.
        draws: temperature and seed of each text.
    """
    decoder = model.model.decoder
    cache = new_cache()
    generators = [torch.Generator().manual_seed(draw.seed) for draw in draws]
    temperatures = torch.tensor([draw.temperature for draw in draws])
    texts: list[list[int]] = [[] for _ in draws]
    scores = [0.0 for _ in draws]
    rows = list(range(len(draws)))  # the texts that are not finished
    tokens = prompts
    for _ in range(rules.max_new_tokens):
        states = decode(decoder, tokens, encoded, cache)[:, -1:]
        so_far = [[texts[row]] for row in rows]
        log_probs = rules.log_probs(logits(decoder, states), so_far)[:, 0].cpu()
        probabilities = (log_probs / temperatures[rows, None]).softmax(-1)
        for index, row in enumerate(rows):
            generator = generators[row]
            token = int(torch.multinomial(probabilities[index], 1, generator=generator))
            texts[row].append(token)
            scores[row] += float(log_probs[index, token])
        kept = [index for index, row in enumerate(rows) if texts[row][-1] != rules.end]
        if not kept:
            break
        if len(kept) < len(rows):
            indices = torch.tensor(kept, device=prompts.device)
            cache.batch_select_indices(indices)
            encoded = encoded.select(indices)
            rows = [rows[index] for index in kept]
        tokens = prompts.new_tensor([texts[row][-1:] for row in rows])
    return [
        Hypothesis(
            [token for token in text if token != rules.end],
            score,
            text[-1] == rules.end,
            draw.temperature,
        )
        for text, score, draw in zip(texts, scores, draws, strict=True)
    ]

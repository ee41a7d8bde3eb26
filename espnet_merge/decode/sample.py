"""Sampling texts at a temperature, for utterances where the search has failed."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import WhisperForConditionalGeneration

from espnet_merge.decode.search import Hypothesis, Rules
from espnet_merge.whisper.model import Encoded, decode, logits, new_cache


@torch.inference_mode()
def sample(
    model: WhisperForConditionalGeneration,
    encoded: Encoded,
    prompts: Tensor,
    rules: Rules,
    temperature: float,
    seeds: Sequence[int],
) -> list[Hypothesis]:
    """Draw a text for each utterance, token by token.

    A text depends on its own seed only, not on the others in the batch. Its score is
    that of its tokens at temperature 1, so that it can be compared with other scores.

    Args:
        model: model; only its decoder is used.
        encoded: a batch of utterances.
        prompts: (batch, length) ids.
        rules: which tokens are allowed, and how many.
        temperature: above 0; log-probabilities are divided by it.
        seeds: one for each utterance.
    """
    decoder = model.model.decoder
    cache = new_cache()
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    texts: list[list[int]] = [[] for _ in seeds]
    scores = [0.0 for _ in seeds]
    rows = list(range(len(seeds)))  # the utterances that are not finished
    tokens = prompts
    for _ in range(rules.max_new_tokens):
        states = decode(decoder, tokens, encoded, cache)[:, -1:]
        so_far = [[texts[row]] for row in rows]
        log_probs = rules.log_probs(logits(decoder, states), so_far)[:, 0].cpu()
        probabilities = (log_probs / temperature).softmax(-1)
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
            temperature,
        )
        for text, score in zip(texts, scores, strict=True)
    ]

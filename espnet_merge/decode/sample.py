"""Texts drawn at a temperature, for utterances where the search has failed."""

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
    """Draw a text of each utterance, token by token.

    A text depends on its own seed only, not on the others in the batch. Its score is
    that of its tokens at temperature 1, so that it compares with others.

    Args:
        model: of which only the decoder is used.
        encoded: a batch of utterances.
        prompts: (batch, length) ids.
        rules: what may be said, and for how long.
        temperature: above 0; the log-probabilities are divided by it.
        seeds: one for each utterance.
    """
    decoder = model.model.decoder
    cache = new_cache()
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    texts: list[list[int]] = [[] for _ in seeds]
    scores = [0.0 for _ in seeds]
    rows = list(range(len(seeds)))  # the utterances still open
    tokens = prompts
    for _ in range(rules.max_new_tokens):
        states = decode(decoder, tokens, encoded, cache)[:, -1:]
        said = [[texts[row]] for row in rows]
        log_probs = rules.log_probs(logits(decoder, states), said)[:, 0].cpu()
        chances = (log_probs / temperature).softmax(-1)
        for place, row in enumerate(rows):
            token = int(torch.multinomial(chances[place], 1, generator=generators[row]))
            texts[row].append(token)
            scores[row] += float(log_probs[place, token])
        left = [place for place, row in enumerate(rows) if texts[row][-1] != rules.end]
        if not left:
            break
        if len(left) < len(rows):
            kept = torch.tensor(left, device=prompts.device)
            cache.batch_select_indices(kept)
            encoded = encoded.select(kept)
            rows = [rows[place] for place in left]
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

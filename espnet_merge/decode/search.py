"""Greedy and beam search over a batch of encoded utterances.

The rules are those of transformers' ``generate`` with its default length penalty
(1.0, the mean log-probability of a token), so that hypotheses equal its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import GenerationConfig, WhisperForConditionalGeneration
from transformers.generation.logits_process import WhisperTimeStampLogitsProcessor

from espnet_merge.whisper.model import Encoded, decode, logits, new_cache


class Hypothesis(NamedTuple):
    """What the decoder said for one utterance.

    tokens: ids without prompt and end.
    score: sum of log-probabilities of the tokens and the end.
    ended: the decoder said the end itself and was not cut off.
    temperature: at which the tokens were drawn; 0 of a search.
    """

    tokens: list[int]
    score: float
    ended: bool
    temperature: float = 0.0

    @property
    def steps(self) -> int:
        """Tokens, the end counted where there is one."""
        return len(self.tokens) + self.ended

    @property
    def mean(self) -> float:
        """Log-probability a token."""
        return self.score / self.steps


@dataclass(frozen=True)
class Rules:
    """What may be said.

    Attributes:
        end: id of ``<|endoftext|>``.
        max_new_tokens: tokens after the prompt, the end included.
        never: ids that are not text (music, brackets, control tokens).
        never_first: ids that cannot begin a text (a blank, the end).
        timestamps: transformers' rules of Whisper's timestamps, where they are asked
            for: they come in pairs, ascending, the first within a second.
    """

    end: int
    max_new_tokens: int
    never: list[int] = field(default_factory=list)
    never_first: list[int] = field(default_factory=list)
    timestamps: WhisperTimeStampLogitsProcessor | None = None

    @classmethod
    def of(
        cls,
        model: WhisperForConditionalGeneration,
        end: int,
        max_new_tokens: int,
        no_timestamps: int | None = None,
    ) -> "Rules":
        """Take the suppressed tokens from the model's generation_config.json.

        Args:
            model: whose rules they are.
            end: id of ``<|endoftext|>``.
            max_new_tokens: tokens after the prompt, the end included.
            no_timestamps: id of ``<|notimestamps|>``, where timestamps are asked for.
        """
        config = model.generation_config
        return cls(
            end,
            max_new_tokens,
            list(config.suppress_tokens or []),
            list(config.begin_suppress_tokens or []),
            None if no_timestamps is None else _timestamps(end, no_timestamps),
        )

    def log_probs(self, scores: Tensor, texts: list[list[list[int]]]) -> Tensor:
        """Return log-probabilities of what may be said next, -inf of the rest.

        Args:
            scores: (batch, beams, vocabulary), as the decoder gives them.
            texts: of each utterance and beam so far, all of one length.
        """
        log_probs = scores.float().log_softmax(-1)
        log_probs[..., self.never] = -torch.inf
        if not texts[0][0]:
            log_probs[..., self.never_first] = -torch.inf
        if self.timestamps is None:
            return log_probs
        said = torch.tensor(texts, dtype=torch.long, device=scores.device)
        allowed: Tensor = self.timestamps(said.flatten(0, 1), log_probs.flatten(0, 1))
        return allowed.view_as(log_probs)


def _timestamps(end: int, no_timestamps: int) -> WhisperTimeStampLogitsProcessor:
    config = GenerationConfig(
        eos_token_id=end,
        no_timestamps_token_id=no_timestamps,
        max_initial_timestamp_index=50,  # of 20 ms: one second
    )
    return WhisperTimeStampLogitsProcessor(config, begin_index=0)


@torch.inference_mode()
def search(
    model: WhisperForConditionalGeneration,
    encoded: Encoded,
    prompts: Tensor,
    rules: Rules,
    beam: int = 1,
    *,
    early_stopping: bool = False,
    first: Callable[[Tensor], object] | None = None,
) -> list[Hypothesis]:
    """Return the best hypothesis of each utterance.

    Args:
        model: of which only the decoder is used.
        encoded: a batch of utterances.
        prompts: (batch, length) ids.
        rules: what may be said, and for how long.
        beam: texts kept open an utterance; 1 is greedy search.
        early_stopping: leave an utterance as soon as ``beam`` texts have ended, and not
            only when no open one has a better mean.
        first: is called with the states (batch, d_model) of the first token of the
            prompts, which tell the language that is heard.
    """
    decoder = model.model.decoder
    cache = new_cache()
    rows = list(range(prompts.shape[0]))  # the utterance of each row still open
    finished: list[list[Hypothesis]] = [[] for _ in rows]
    texts: list[list[list[int]]] = [[[]] for _ in rows]
    scores = prompts.new_zeros((len(rows), 1), dtype=torch.float32)
    follows = prompts.new_ones((len(rows), 1, prompts.shape[1]), dtype=torch.bool)
    own = torch.eye(beam, dtype=torch.bool, device=prompts.device)
    states = decode(decoder, prompts, encoded, cache)
    if first is not None:
        first(states[:, 0])
    states = states[:, -1:]
    for step in range(1, rules.max_new_tokens + 1):
        log_probs = rules.log_probs(logits(decoder, states), texts)
        # A beam ends in one way only: of twice as many candidates as beams at least
        # one a beam stays open.
        best, index = (scores[..., None] + log_probs).flatten(1).topk(2 * beam)
        parents, tokens = index // log_probs.shape[-1], index % log_probs.shape[-1]
        candidates = zip(best.tolist(), parents.tolist(), tokens.tolist(), strict=True)
        open_rows, kept = [], []
        for row, (totals, origins, ids) in enumerate(candidates):
            keep = [rank for rank in range(2 * beam) if ids[rank] != rules.end][:beam]
            done = finished[rows[row]]
            for rank in range(beam):
                text = texts[row][origins[rank]]
                if ids[rank] == rules.end:
                    done.append(Hypothesis(text, totals[rank], ended=True))
                elif step == rules.max_new_tokens:
                    done.append(Hypothesis([*text, ids[rank]], totals[rank], False))
            done.sort(key=lambda hypothesis: -hypothesis.mean)
            del done[beam:]
            # Greedy search ends with its first end. A beam is left when no open text
            # scores better now than the worst it has finished.
            if len(done) < beam or (
                beam > 1
                and not early_stopping
                and totals[keep[0]] / step > done[-1].mean
            ):
                open_rows.append(row)
                kept.append(keep)
                texts[row] = [[*texts[row][origins[r]], ids[r]] for r in keep]
        if not open_rows or step == rules.max_new_tokens:
            break
        if len(open_rows) < len(rows):
            left = torch.tensor(open_rows, device=prompts.device)
            cache.batch_select_indices(left)
            encoded = encoded.select(left)
            best, parents, tokens = best[left], parents[left], tokens[left]
            follows = follows[left]
            rows = [rows[row] for row in open_rows]
            texts = [texts[row] for row in open_rows]
        chosen = torch.tensor(kept, device=prompts.device)
        scores, parents = best.gather(1, chosen), parents.gather(1, chosen)
        past = follows.gather(1, parents[..., None].expand(-1, -1, follows.shape[-1]))
        follows = torch.cat([past, own.expand(len(rows), -1, -1)], -1)
        states = decode(
            decoder,
            tokens.gather(1, chosen),
            encoded,
            cache,
            follows if beam > 1 else None,
            prompts.shape[1] + step - 1,
        )
    return [done[0] for done in finished]

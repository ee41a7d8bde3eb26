"""Greedy and beam search over a batch of encoded utterances.

The search follows transformers' ``generate`` with its default length penalty (1.0, the
mean log-probability of a token), so both find the same hypotheses.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import GenerationConfig, WhisperForConditionalGeneration
from transformers.generation.logits_process import WhisperTimeStampLogitsProcessor

from espnet_merge.whisper.model import Encoded, decode, logits, new_cache

# Rows of utterances that have ended are computed until at most this share of the rows
# goes on: to leave one out copies the keys and values of all others.
WORTH_COPYING = 0.75


class Hypothesis(NamedTuple):
    """A hypothesis of one utterance.

    Attributes:
        tokens: ids without prompt and ``<|endoftext|>``.
        score: sum of log-probabilities of the tokens and ``<|endoftext|>``.
        ended: whether it ends with ``<|endoftext|>``, and was not cut off.
        temperature: temperature at which the tokens were drawn; 0 of a search.
    """

    tokens: list[int]
    score: float
    ended: bool
    temperature: float = 0.0

    @property
    def steps(self) -> int:
        """Number of tokens, ``<|endoftext|>`` included."""
        return len(self.tokens) + self.ended

    @property
    def mean(self) -> float:
        """Mean log-probability of a token."""
        return self.score / self.steps


@dataclass(frozen=True)
class Rules:
    """Which tokens are allowed.

    Attributes:
        end: id of ``<|endoftext|>``.
        max_new_tokens: tokens after the prompt, ``<|endoftext|>`` included.
        suppress_tokens: ids that are not text (music, brackets, control tokens).
        begin_suppress_tokens: ids that cannot begin a text (a blank, the end).
        timestamps: transformers' rules for Whisper's timestamps, if there are to be
            any: they come in pairs, ascending, the first within a second.
    """

    end: int
    max_new_tokens: int
    suppress_tokens: list[int] = field(default_factory=list)
    begin_suppress_tokens: list[int] = field(default_factory=list)
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
            model: model that decodes.
            end: id of ``<|endoftext|>``.
            max_new_tokens: tokens after the prompt, ``<|endoftext|>`` included.
            no_timestamps: id of ``<|notimestamps|>`` if there are to be timestamps.
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
        """Return log-probabilities of the next token; -inf if it is not allowed.

        Args:
            scores: (batch, beams, vocabulary), logits of the decoder.
            texts: tokens so far of each utterance and beam, all of one length.
        """
        log_probs = scores.float().log_softmax(-1)
        log_probs[..., self.suppress_tokens] = -torch.inf
        if not texts[0][0]:
            log_probs[..., self.begin_suppress_tokens] = -torch.inf
        if self.timestamps is None:
            return log_probs
        ids = torch.tensor(texts, dtype=torch.long, device=scores.device)
        allowed: Tensor = self.timestamps(ids.flatten(0, 1), log_probs.flatten(0, 1))
        return allowed.view_as(log_probs)


def _timestamps(end: int, no_timestamps: int) -> WhisperTimeStampLogitsProcessor:
    config = GenerationConfig(
        eos_token_id=end,
        no_timestamps_token_id=no_timestamps,
        max_initial_timestamp_index=50,  # of 20 ms: one second
    )
    return WhisperTimeStampLogitsProcessor(config, begin_index=0)


@dataclass
class Finished:
    """The finished hypotheses of an utterance, the best first.

    Attributes:
        rules: which token ends a text, and how long it may be.
        beam: number of finished hypotheses that are kept, and of unfinished ones.
        early_stopping: whether the search ends with ``beam`` finished hypotheses.
        hypotheses: the finished hypotheses.
        ended: whether no text goes on.
    """

    rules: Rules
    beam: int
    early_stopping: bool
    hypotheses: list[Hypothesis] = field(default_factory=list)
    ended: bool = False

    def ranks(
        self, step: int, texts: list[list[int]], totals: list[float], ids: list[int]
    ) -> list[int]:
        """Return the indices of candidates to compute on: any where no text goes on.

        The arguments are those of ``add``.
        """
        going_on = [] if self.ended else self.add(step, texts, totals, ids)
        self.ended = not going_on
        return going_on or list(range(self.beam))

    def add(
        self, step: int, texts: list[list[int]], totals: list[float], ids: list[int]
    ) -> list[int]:
        """Add the texts that end at a step; return the indices of those that go on.

        Args:
            step: number of the step, from 1.
            texts: candidates before this step, twice as many as beams, the best first.
            totals: score of each candidate after this step.
            ids: token of each candidate at this step.
        """
        done = self.hypotheses
        for text, total, token in list(zip(texts, totals, ids, strict=True))[
            : self.beam
        ]:
            if token == self.rules.end:
                done.append(Hypothesis(text, total, ended=True))
            elif step == self.rules.max_new_tokens:
                done.append(Hypothesis([*text, token], total, ended=False))
        done.sort(key=lambda hypothesis: -hypothesis.mean)
        del done[self.beam :]
        kept = [rank for rank, token in enumerate(ids) if token != self.rules.end]
        if len(done) == self.beam:
            # Greedy search ends with the first finished text. Beam search ends when no
            # unfinished text has a better mean score than the worst finished one.
            may_go_on = self.beam > 1 and not self.early_stopping
            if not (may_go_on and totals[kept[0]] / step > done[-1].mean):
                return []
        return kept[: self.beam]


@torch.inference_mode()
def search(
    model: WhisperForConditionalGeneration,
    encoded: Encoded,
    prompts: Tensor,
    rules: Rules,
    beam: int = 1,
    *,
    early_stopping: bool = False,
    on_start: Callable[[Tensor], object] | None = None,
) -> list[Hypothesis]:
    """Return the best hypothesis of each utterance.

    Args:
        model: model; only its decoder is used.
        encoded: a batch of utterances.
        prompts: (batch, length) ids.
        rules: which tokens are allowed, and how many.
        beam: unfinished hypotheses kept per utterance; 1 is greedy search.
        early_stopping: end an utterance as soon as ``beam`` hypotheses are finished,
            even if an unfinished one has a better mean score.
        on_start: called with the states (batch, d_model) at the first token of the
            prompts, from which the language can be identified.
    """
    decoder, cache = model.model.decoder, new_cache()
    rows = list(range(prompts.shape[0]))  # utterance of each row
    finished = [Finished(rules, beam, early_stopping) for _ in rows]
    texts: list[list[list[int]]] = [[[]] for _ in rows]
    scores = prompts.new_zeros((len(rows), 1), dtype=torch.float32)
    follows = prompts.new_ones((len(rows), 1, prompts.shape[1]), dtype=torch.bool)
    states = decode(decoder, prompts, encoded, cache)
    if on_start is not None:
        on_start(states[:, 0])
    states = states[:, -1:]
    for step in range(1, rules.max_new_tokens + 1):
        log_probs = rules.log_probs(logits(decoder, states), texts)
        best, parents, tokens = _candidates(scores, log_probs, beam)
        chosen: list[list[int]] = []
        candidates = zip(best.tolist(), parents.tolist(), tokens.tolist(), strict=True)
        for row, (totals, origins, ids) in enumerate(candidates):
            begun = [texts[row][origin] for origin in origins]
            ranks = finished[rows[row]].ranks(step, begun, totals, ids)
            texts[row] = [[*begun[rank], ids[rank]] for rank in ranks]
            chosen.append(ranks)
        kept = [row for row, name in enumerate(rows) if not finished[name].ended]
        if not kept or step == rules.max_new_tokens:
            break
        if len(kept) <= WORTH_COPYING * len(rows):
            indices = torch.tensor(kept, device=prompts.device)
            cache.batch_select_indices(indices)
            encoded, follows = encoded.select(indices), follows[indices]
            best, parents, tokens = best[indices], parents[indices], tokens[indices]
            rows, texts = [rows[row] for row in kept], [texts[row] for row in kept]
            chosen = [chosen[row] for row in kept]
        ranks_of = torch.tensor(chosen, device=prompts.device)
        scores, next_tokens = best.gather(1, ranks_of), tokens.gather(1, ranks_of)
        follows = _extend(follows, parents.gather(1, ranks_of))
        mask, position = follows if beam > 1 else None, prompts.shape[1] + step - 1
        states = decode(decoder, next_tokens, encoded, cache, mask, position)
    return [utterance.hypotheses[0] for utterance in finished]


def _candidates(
    scores: Tensor, log_probs: Tensor, beam: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return score, text and next token of the best candidates, the best first.

    There are twice as many candidates as beams. A text can end with one token only, so
    at least one candidate per beam does not end.
    """
    best, index = (scores[..., None] + log_probs).flatten(1).topk(2 * beam)
    return best, index // log_probs.shape[-1], index % log_probs.shape[-1]


def _extend(follows: Tensor, parents: Tensor) -> Tensor:
    """Return which cached tokens each text follows, with one new token of its own.

    Args:
        follows: attention mask (batch, texts before, tokens before).
        parents: (batch, beams), index of the text that each text continues.
    """
    past = follows.gather(1, parents[..., None].expand(-1, -1, follows.shape[-1]))
    own = torch.eye(parents.shape[1], dtype=torch.bool, device=parents.device)
    return torch.cat([past, own.expand(len(parents), -1, -1)], -1)

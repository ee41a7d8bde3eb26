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


@dataclass
class Finished:
    """The texts of an utterance that have ended, the best first.

    Attributes:
        rules: what ends a text.
        beam: texts that are kept, of those that have ended as of those still open.
        early_stopping: whether the search ends when so many texts have ended.
        hypotheses: the texts.
    """

    rules: Rules
    beam: int
    early_stopping: bool
    hypotheses: list[Hypothesis] = field(default_factory=list)

    def add(
        self, step: int, texts: list[list[int]], totals: list[float], ids: list[int]
    ) -> list[int]:
        """Add the texts that end at a step; return which others stay open, if any do.

        Args:
            step: counts from 1.
            texts: candidates before this step, twice as many as beams, the best first.
            totals: score of each after this step.
            ids: what each says at this step.
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
            # Greedy search ends with its first end. A beam is left when no open text
            # scores better now than the worst it has finished.
            beams = self.beam > 1 and not self.early_stopping
            if not (beams and totals[kept[0]] / step > done[-1].mean):
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
    decoder, cache = model.model.decoder, new_cache()
    rows = list(range(prompts.shape[0]))  # the utterance of each row still open
    finished = [Finished(rules, beam, early_stopping) for _ in rows]
    texts: list[list[list[int]]] = [[[]] for _ in rows]
    scores = prompts.new_zeros((len(rows), 1), dtype=torch.float32)
    follows = prompts.new_ones((len(rows), 1, prompts.shape[1]), dtype=torch.bool)
    states = decode(decoder, prompts, encoded, cache)
    if first is not None:
        first(states[:, 0])
    states = states[:, -1:]
    for step in range(1, rules.max_new_tokens + 1):
        log_probs = rules.log_probs(logits(decoder, states), texts)
        best, parents, tokens = _candidates(scores, log_probs, beam)
        kept: dict[int, list[int]] = {}
        listed = zip(best.tolist(), parents.tolist(), tokens.tolist(), strict=True)
        for row, (totals, origins, ids) in enumerate(listed):
            begun = [texts[row][origin] for origin in origins]
            if ranks := finished[rows[row]].add(step, begun, totals, ids):
                kept[row] = ranks
                texts[row] = [[*begun[rank], ids[rank]] for rank in ranks]
        if not kept or step == rules.max_new_tokens:
            break
        if len(kept) < len(rows):
            left = torch.tensor(list(kept), device=prompts.device)
            cache.batch_select_indices(left)
            encoded, follows = encoded.select(left), follows[left]
            best, parents, tokens = best[left], parents[left], tokens[left]
            rows, texts = [rows[row] for row in kept], [texts[row] for row in kept]
        chosen = torch.tensor(list(kept.values()), device=prompts.device)
        scores, said = best.gather(1, chosen), tokens.gather(1, chosen)
        follows = _prolong(follows, parents.gather(1, chosen))
        mask, place = follows if beam > 1 else None, prompts.shape[1] + step - 1
        states = decode(decoder, said, encoded, cache, mask, place)
    return [done.hypotheses[0] for done in finished]


def _candidates(
    scores: Tensor, log_probs: Tensor, beam: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return score, text and next token of the best ways to go on, the best first.

    A text ends in one way only, so that of twice as many candidates as beams at least
    one a beam stays open.
    """
    best, index = (scores[..., None] + log_probs).flatten(1).topk(2 * beam)
    return best, index // log_probs.shape[-1], index % log_probs.shape[-1]


def _prolong(follows: Tensor, parents: Tensor) -> Tensor:
    """Return which tokens each text follows, one more of its own included.

    Args:
        follows: (batch, texts before, tokens before).
        parents: (batch, beams), the text before that each goes on with.
    """
    past = follows.gather(1, parents[..., None].expand(-1, -1, follows.shape[-1]))
    own = torch.eye(parents.shape[1], dtype=torch.bool, device=parents.device)
    return torch.cat([past, own.expand(len(parents), -1, -1)], -1)

"""What a merge is worth: error rates of its texts, or the loss of the references."""

import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import WhisperForConditionalGeneration, WhisperTokenizer

from espnet_merge.decode.batches import batches
from espnet_merge.decode.segments import cut
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.torch_backend import TorchBackend
from espnet_merge.decode.utterances import Utterance
from espnet_merge.errors import InputError
from espnet_merge.score.evaluate import evaluate, headline, main_of, main_reading
from espnet_merge.score.utterances import ScoredUtterance
from espnet_merge.search.goals import Goal
from espnet_merge.search.texts import texts_of
from espnet_merge.statistics.utterances import Target
from espnet_merge.whisper.model import Encoded, decode, logits


class Objective(ABC):
    """A score for each goal, which is the mean over some sets.

    Attributes:
        sets: sets of each goal.
    """

    sets: Mapping[Goal, Sequence[Path]]

    @torch.inference_mode()
    def __call__(self, whisper: WhisperForConditionalGeneration) -> list[float]:
        """Return the scores of a model."""
        return [
            statistics.fmean(self.score(whisper, data) for data in sets)
            for sets in self.sets.values()
        ]

    @abstractmethod
    def score(self, whisper: WhisperForConditionalGeneration, data: Path) -> float:
        """Return the score of a set."""


@dataclass(frozen=True)
class DevSet:
    """A set to decode and to score.

    Args:
        utterances: what is decoded.
        references: what the texts are scored against.
    """

    utterances: Sequence[Utterance]
    references: Sequence[ScoredUtterance]

    @property
    def metric(self) -> str:
        """Its main metric: wer, cer or bleu."""
        return main_of(self.references)


class ErrorRates(Objective):
    """Decode the sets, and score the texts by the main metric of each.

    The goals are the mean error rate in percent, the mean BLEU if there are sets of
    translations, and the mean error rate of the sets that are to be kept.

    Args:
        data: sets that the merge is for.
        kept: sets of what it must not forget.
        settings: how they are decoded.
        tokenizer: of the models.
        normalizer: of the texts.

    Raises:
        InputError: of what is to be kept something is translated.
    """

    def __init__(
        self,
        data: Mapping[Path, DevSet],
        kept: Mapping[Path, DevSet],
        settings: Settings,
        tokenizer: WhisperTokenizer,
        normalizer: str,
    ) -> None:
        self._all = {**data, **kept}
        self._settings, self._tokenizer = settings, tokenizer
        self._normalizer = normalizer
        # Here, for long recordings are cut at pauses, which takes time.
        self._batches = {
            path: batches(cut(one.utterances, settings.tail), settings.batch_size)
            for path, one in self._all.items()
        }
        translated = [path for path, one in data.items() if one.metric == "bleu"]
        for path, one in kept.items():
            if one.metric == "bleu":
                raise InputError(
                    f"{path}: what is kept is measured by error rates, and this is a"
                    " set of translations; give it as --data."
                )
        sets = {
            Goal("error rate in %"): [path for path in data if path not in translated],
            Goal("BLEU", maximise=True): translated,
            Goal("error rate in %, kept"): list(kept),
        }
        self.sets = {goal: paths for goal, paths in sets.items() if paths}

    def score(self, whisper: WhisperForConditionalGeneration, data: Path) -> float:
        """Return the main metric of a set, in percent."""
        texts = self.texts(whisper, data)
        one = self._all[data]
        scored = [u._replace(hypothesis=texts[u.name]) for u in one.references]
        found = evaluate(scored, self._normalizer, [one.metric])
        return headline(found["metrics"][one.metric][main_reading(one.metric)])

    def texts(
        self, whisper: WhisperForConditionalGeneration, data: Path
    ) -> dict[str, str]:
        """Return the texts of a set, as ``decode`` writes them."""
        backend = TorchBackend(whisper, self._tokenizer, self._settings)
        return texts_of(backend, self._all[data].utterances, self._batches[data])


class Measure(NamedTuple):
    """What is summed over the tokens that a decoder predicts.

    Attributes:
        name: what it is.
        total: its sum, of logits (tokens, vocabulary) and the tokens that follow.
    """

    name: str
    total: Callable[[Tensor, Tensor], Tensor]


def _entropies(scores: Tensor, tokens: Tensor) -> Tensor:
    """Return the summed entropy of the predictions, whatever the tokens are."""
    logarithms = scores.log_softmax(-1)
    return -(logarithms.exp() * logarithms).sum()


LOSS = Measure("loss", partial(cross_entropy, reduction="sum"))
ENTROPY = Measure("entropy", _entropies)


class Losses(Objective):
    """The loss of the references, given them: no text is searched for.

    The goals are the mean over the sets, and over those that are to be kept.

    Args:
        data: utterances of each set, with what the decoder is given.
        kept: the same of sets that must not be forgotten.
        settings: how long the encoder's input is, and how large a batch.
        tokenizer: of the models.
        measure: the loss, or what stands in its place.
    """

    def __init__(
        self,
        data: Mapping[Path, Sequence[Target]],
        kept: Mapping[Path, Sequence[Target]],
        settings: Settings,
        tokenizer: WhisperTokenizer,
        measure: Measure = LOSS,
    ) -> None:
        self._targets = {**data, **kept}
        self._settings, self._tokenizer = settings, tokenizer
        self._measure = measure
        sets = {
            Goal(f"{measure.name} in nats a token"): list(data),
            Goal(f"{measure.name} in nats a token, kept"): list(kept),
        }
        self.sets = {goal: paths for goal, paths in sets.items() if paths}

    def score(self, whisper: WhisperForConditionalGeneration, data: Path) -> float:
        """Return the mean loss of the tokens of a set, in nats."""
        return sum(map(float, self.parts(whisper, self._targets[data])))

    def parts(
        self, whisper: WhisperForConditionalGeneration, targets: Sequence[Target]
    ) -> Iterator[Tensor]:
        """Yield the parts of the mean loss of some utterances, batch by batch.

        Args:
            whisper: the model.
            targets: utterances, of whatever set.
        """
        settings = self._settings
        backend = TorchBackend(whisper, self._tokenizer, settings)
        known = {target.utterance: target for target in targets}
        tokens = sum(len(target.ids) - target.prompt for target in targets)
        for batch in batches(list(known), settings.batch_size):
            own = [known[utterance] for utterance in batch]
            scores, ids = _predicted(whisper, own, backend.encode(batch))
            exact = torch.promote_types(scores.dtype, torch.float32)
            yield self._measure.total(scores.to(exact), ids) / tokens


def _predicted(
    whisper: WhisperForConditionalGeneration, batch: Sequence[Target], encoded: Encoded
) -> tuple[Tensor, Tensor]:
    """Return logits of the tokens after the prompts, the end included, and the tokens.

    Args:
        whisper: the model.
        batch: utterances, with what the decoder is given.
        encoded: what the encoder made of them.
    """
    place = {"device": whisper.device}
    ids = pad_sequence(
        [torch.tensor(target.ids, **place) for target in batch], batch_first=True
    )
    states = decode(whisper.model.decoder, ids[:, :-1], encoded)
    learnt = torch.zeros_like(ids[:, 1:], dtype=torch.bool)
    for row, target in zip(learnt, batch, strict=True):
        row[target.prompt - 1 : len(target.ids) - 1] = True
    return logits(whisper.model.decoder, states[learnt]), ids[:, 1:][learnt]

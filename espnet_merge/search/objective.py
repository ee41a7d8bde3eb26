"""What a merge is worth: error rates of its texts, or the loss of the references."""

import statistics
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import WhisperForConditionalGeneration, WhisperTokenizer

from espnet_merge.decode.batches import batches
from espnet_merge.decode.recognize import Recognizer
from espnet_merge.decode.record import DecodedSegment, utterance_record
from espnet_merge.decode.segments import cut
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.torch_backend import TorchBackend
from espnet_merge.decode.utterances import Utterance
from espnet_merge.errors import InputError
from espnet_merge.score.evaluate import evaluate, headline, main_of, main_reading
from espnet_merge.score.utterances import ScoredUtterance
from espnet_merge.search.goals import Goal
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
        settings, tokenizer = self._settings, self._tokenizer
        recognizer = Recognizer(TorchBackend(whisper, tokenizer, settings))
        segments: defaultdict[str, list[DecodedSegment]] = defaultdict(list)
        for batch in self._batches[data]:
            for segment in recognizer(batch):
                segments[segment.audio.name].append(segment)
        return {
            one.name: utterance_record(
                one, segments[one.name], tokenizer, timestamps=settings.timestamps
            )["text"]
            for one in self._all[data].utterances
        }


class Losses(Objective):
    """The loss of the references, given them: no text is searched for.

    The goals are the mean over the sets, and over those that are to be kept.

    Args:
        data: utterances of each set, with what the decoder is given.
        kept: the same of sets that must not be forgotten.
        settings: how long the encoder's input is, and how large a batch.
        tokenizer: of the models.
    """

    def __init__(
        self,
        data: Mapping[Path, Sequence[Target]],
        kept: Mapping[Path, Sequence[Target]],
        settings: Settings,
        tokenizer: WhisperTokenizer,
    ) -> None:
        self._targets = {
            path: {target.utterance: target for target in targets}
            for path, targets in {**data, **kept}.items()
        }
        self._settings, self._tokenizer = settings, tokenizer
        sets = {
            Goal("loss in nats a token"): list(data),
            Goal("loss in nats a token, kept"): list(kept),
        }
        self.sets = {goal: paths for goal, paths in sets.items() if paths}

    def score(self, whisper: WhisperForConditionalGeneration, data: Path) -> float:
        """Return the mean loss of the tokens of a set, in nats."""
        targets, settings = self._targets[data], self._settings
        backend = TorchBackend(whisper, self._tokenizer, settings)
        total, tokens = 0.0, 0
        for batch in batches(list(targets), settings.batch_size):
            own = [targets[utterance] for utterance in batch]
            total += float(_loss(whisper, own, backend.encode(batch)))
            tokens += sum(len(target.ids) - target.prompt for target in own)
        return total / tokens


def _loss(
    whisper: WhisperForConditionalGeneration, batch: Sequence[Target], encoded: Encoded
) -> Tensor:
    """Return the summed loss of the tokens after the prompts, the end included."""
    place = {"device": whisper.device}
    ids = pad_sequence(
        [torch.tensor(target.ids, **place) for target in batch], batch_first=True
    )
    states = decode(whisper.model.decoder, ids[:, :-1], encoded)
    learnt = torch.zeros_like(ids[:, 1:], dtype=torch.bool)
    for row, target in zip(learnt, batch, strict=True):
        row[target.prompt - 1 : len(target.ids) - 1] = True
    scores = logits(whisper.model.decoder, states[learnt])
    return cross_entropy(scores.float(), ids[:, 1:][learnt], reduction="sum")

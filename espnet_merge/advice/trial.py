"""The short trial: base, own experts and a quick merge decode samples of their sets."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import WhisperForConditionalGeneration, WhisperTokenizer

from espnet_merge.advice.facts import BASE, GROUPED, MERGED, OWN
from espnet_merge.decode.batches import batches
from espnet_merge.decode.expert import load_expert
from espnet_merge.decode.segments import cut
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.torch_backend import TorchBackend
from espnet_merge.decode.utterances import Utterance, evenly_spaced
from espnet_merge.errors import InputError
from espnet_merge.merging.loop import opened
from espnet_merge.merging.merge import Merge
from espnet_merge.methods import build_method
from espnet_merge.score.sample import Sample, counted
from espnet_merge.search.model import TrialModel
from espnet_merge.search.objective import DevSet
from espnet_merge.search.sets import Sets
from espnet_merge.search.texts import records_of

# The method that makes an expert of the base, and the base of itself.
SUM = "task_arithmetic"
# Of the time that is left, what is planned for: what loops takes longer than its audio
# lets expect.
PLANNED = 0.8
# Sets of which an utterance is decoded beforehand, to know how long it takes.
TIMED = 2
# A merge has an output, and those of a trial are never written.
NOWHERE = Path(".never")


# What was decoded of each utterance, by name, as ``text.json`` holds it.
type Records = Mapping[str, Mapping[str, Any]]


class Tried(NamedTuple):
    """What a trial found.

    Attributes:
        sample: errors of each system.
        heard: set -> language that the base hears -> number of utterances.
        identified: fraction of the utterances whose language the base hears.
        utterances: number of each set.
        by_base: seconds of CPU in which the base decodes an utterance of mean length.
        decoding: the same of an expert.
        encoding: seconds to encode it, which a router does before that.
        merging: seconds of the quick merge.
    """

    sample: Sample
    heard: Mapping[str, Mapping[str, int]]
    identified: float
    utterances: Mapping[str, int]
    by_base: float
    decoding: float
    encoding: float
    merging: float


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial that is ready to begin.

    Args:
        shared: what all merges share, as ``Merge`` takes it.
        sets: a set of each expert, in their order, and how experts decode them.
        base_decoding: how the base decodes them.
        method: quick merge, at its defaults.
        groups: numbers of the experts that are merged together; one group for all.
        normalizer: of the texts.
        ends: CPU time at which it should be over, of ``time.process_time``.
        utterances: of each set; None for as many as there is time for.
        jobs: number of threads that merge.
    """

    shared: Mapping[str, Any]
    sets: Sets
    base_decoding: Settings
    method: str
    groups: Sequence[Sequence[int]]
    normalizer: str
    ends: float
    utterances: int | None = None
    jobs: int = 1

    def run(self) -> Tried:
        """Decode, and count the errors.

        Raises:
            InputError: inputs do not belong together, or a set has no audio.
        """
        settings, _ = self.sets.settings, self._usable
        torch.set_num_threads(settings.threads)
        merges = [self._planned(self.method, {}), self._planned(SUM, self._one(None))]
        with opened(merges, self.jobs, "cpu") as (inputs, _):
            whisper = load_expert(
                self.sets.model, device=settings.device, dtype=settings.dtype
            )
            model = TrialModel(whisper, inputs, self._planned)
            return self._tried(model)

    def _tried(self, model: TrialModel) -> Tried:
        tokenizer = self.sets.tokenizer
        base = Listener(model.whisper, tokenizer, self.base_decoding)
        heard = Listener(model.whisper, tokenizer, self.sets.settings)
        typical = evenly_spaced([*map(_typical, self._usable.values())], TIMED)
        encoding = _timed(partial(base.encode, typical)) / len(typical)
        seconds = _timed(partial(base.records, typical)) / len(typical)
        switching = _timed(partial(model.become, SUM, self._one(0)))
        decoding = _timed(partial(heard.records, typical)) / len(typical)
        merging = _timed(partial(model.become, self.method, {}))
        sample = self._sample(seconds, decoding, switching)
        every = [utterance for one in sample.values() for utterance in one.utterances]
        texts = {MERGED: _texts(heard.records(every))}
        if len(self.groups) > 1:
            texts[GROUPED] = self._grouped(model, heard, sample)
        model.become(SUM, self._one(None))
        records = base.records(every)
        texts |= {BASE: _texts(records), OWN: {}}
        for number, one in enumerate(sample.values()):
            model.become(SUM, self._one(number))
            texts[OWN] |= _texts(heard.records(one.utterances))
        spoken = {
            path.name: [(_language(records[u.name]), u.spoken) for u in one.references]
            for path, one in sample.items()
        }
        right = [own == true for pairs in spoken.values() for own, true in pairs]
        counts = {
            path.name: counted(one.references, texts, self.normalizer, one.metric)
            for path, one in sample.items()
        }
        return Tried(
            sample=Sample(list(texts), counts),
            heard={name: Counter(own for own, _ in x) for name, x in spoken.items()},
            identified=float(np.mean(right)),
            utterances={path.name: len(one.utterances) for path, one in sample.items()},
            by_base=seconds,
            decoding=decoding,
            encoding=encoding,
            merging=merging,
        )

    def _grouped(
        self, model: TrialModel, heard: "Listener", sample: Mapping[Path, DevSet]
    ) -> dict[str, str]:
        """Return the texts of each set by the merge of its expert's group."""
        texts: dict[str, str] = {}
        sets = [*sample.values()]
        for group in self.groups:
            model.become(SUM, self._mean(group))
            own = [u for number in group for u in sets[number].utterances]
            texts |= _texts(heard.records(own))
        return texts

    def _sample(
        self, by_base: float, decoding: float, switching: float
    ) -> dict[Path, DevSet]:
        """Return what of each set there is time to decode."""
        number = self.utterances
        if number is None:
            sets, apart = len(self.sets.data), len(self.groups) > 1
            switches = sets + 1 + apart * len(self.groups)
            left = self.ends - time.process_time() - switches * switching
            # Beside the base decode the merge, own experts, and groups.
            each = sets * (by_base + (2 + apart) * decoding)
            number = max(1, int(PLANNED * left / each))
        found = {}
        for path, usable in self._usable.items():
            chosen = evenly_spaced(usable, number)
            names = {u.name for u in chosen}
            references = self.sets.data[path].references
            found[path] = DevSet(chosen, [u for u in references if u.name in names])
        return found

    @cached_property
    def _usable(self) -> dict[Path, list[Utterance]]:
        """Return the utterances of each set that can be decoded."""
        found = {
            path: [one for one in own.utterances if not one.defect]
            for path, own in self.sets.data.items()
        }
        for path, usable in found.items():
            if not usable:
                raise InputError(
                    f"{path}: a set to try merges on needs utterances with audio; it"
                    " has none: give another."
                )
        return found

    def _one(self, number: int | None) -> dict[str, Any]:
        """Return the weights that make an expert, or the base, of a sum."""
        experts = range(len(self.shared["experts"]))
        return {"scale": 1.0, "weights": [float(n == number) for n in experts]}

    def _mean(self, group: Sequence[int]) -> dict[str, Any]:
        """Return the weights that make the mean of a group."""
        experts = range(len(self.shared["experts"]))
        return {
            "scale": 1 / len(group),
            "weights": [float(n in group) for n in experts],
        }

    def _planned(self, method: str, params: Mapping[str, Any]) -> Merge:
        built = build_method(method, params)
        return Merge(method=built, output=NOWHERE, **self.shared)


@dataclass(frozen=True)
class Listener:
    """Decodes with a network whose weights change."""

    whisper: WhisperForConditionalGeneration
    tokenizer: WhisperTokenizer
    settings: Settings

    @torch.inference_mode()
    def records(self, utterances: Sequence[Utterance]) -> Records:
        """Return the record of each utterance: its text, and its language."""
        segments = cut(utterances, self.settings.tail)
        size = self.settings.batch_size
        return records_of(self._backend, utterances, batches(segments, size))

    @torch.inference_mode()
    def encode(self, utterances: Sequence[Utterance]) -> None:
        """Encode, as what routes does before the language is heard."""
        for one in cut(utterances, self.settings.tail):
            self._backend.encode([one])

    @property
    def _backend(self) -> TorchBackend:
        return TorchBackend(self.whisper, self.tokenizer, self.settings)


def _texts(records: Records) -> dict[str, str]:
    return {name: record["text"] for name, record in records.items()}


def _language(record: Mapping[str, Any]) -> str:
    """Return the language that was heard; of a model of English alone, none."""
    return str(record.get("heard", record.get("language", "")))


def _timed(call: Callable[[], object]) -> float:
    """Return how many seconds of CPU a call takes, those of all threads together."""
    started = time.process_time()
    call()
    return time.process_time() - started


def _typical(utterances: Sequence[Utterance]) -> Utterance:
    """Return an utterance of mean length, or the nearest to it."""
    mean = sum(one.samples for one in utterances) / len(utterances)
    return min(utterances, key=lambda one: abs(one.samples - mean))

"""A search from its inputs to the model that it finds."""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from espnet_merge.decode.expert import load_expert
from espnet_merge.disk.atomic import check_output, whole_file
from espnet_merge.errors import InputError
from espnet_merge.files import MERGE_YAML
from espnet_merge.job_array import Shard
from espnet_merge.merging.loop import opened
from espnet_merge.merging.merge import Merge
from espnet_merge.merging.planned import PlannedMerge
from espnet_merge.methods import build_method
from espnet_merge.search.choice import best_first, told
from espnet_merge.search.found import MODEL, SEARCH_JSON, Found
from espnet_merge.search.goals import Goal
from espnet_merge.search.model import TrialModel
from espnet_merge.search.picture import write_picture
from espnet_merge.search.sets import Sets
from espnet_merge.search.settings import SearchSettings
from espnet_merge.search.space import Choices, Open, Space
from espnet_merge.search.study import JOURNAL, Study


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search that is ready to begin.

    Args:
        output: directory of the trials, of what they tell, and of the model.
        shared: what all merges share, as ``Merge`` takes it.
        spaces: what is tried, by name.
        sets: development sets.
        settings: what for, and how long.
        jobs: number of threads that merge.
        device: where matrices are decomposed, and where the model runs.
        shard: the worker that this process is; None for the one that also chooses.
    """

    output: Path
    shared: Mapping[str, Any]
    spaces: Mapping[str, Space]
    sets: Sets
    settings: SearchSettings
    jobs: int = 1
    device: str = "cpu"
    shard: Shard | None = None

    def run(self) -> Found | None:
        """Try and choose; of a shard, try alone.

        Raises:
            InputError: inputs do not belong together, another search or merge is in
                ``output``, or the time was too short for a trial.
        """
        self._clear()
        first = [
            self._planned(space.method, space.filled(lambda _, one: one.ends[0]))
            for space in self.spaces.values()
        ]
        decomposed = any(merge.kind.arrays == "torch" for merge in first)
        device = self.device if decomposed else "cpu"
        torch.set_num_threads(self.sets.settings.threads)
        with opened(first, self.jobs, device) as (inputs, (record, *_)):
            whisper = load_expert(
                self.sets.model,
                device=self.device,
                dtype=self.sets.settings.dtype,
            )
            model = TrialModel(whisper, inputs, self._planned)
            content = self._tried(model, self._record(record))
        return None if self.shard else self._written(content)

    def _clear(self) -> None:
        """Remove an earlier search, if asked to; refuse what is none."""
        journal, overwrite = self.output / JOURNAL, self.shared["overwrite"]
        if overwrite:
            journal.unlink(missing_ok=True)
        if not journal.exists():
            check_output(self.output / MODEL, overwrite=overwrite, mark=MERGE_YAML)

    def _tried(self, model: TrialModel, record: Mapping[str, Any]) -> dict[str, Any]:
        """Make the trials; return the content of the record."""
        settings = self.settings
        rates = self.sets.error_rates(settings.normalizer)
        objective = self.sets.losses() if settings.objective == "loss" else rates
        study = Study(
            directory=self.output,
            spaces=self.spaces,
            goals=list(objective.sets),
            record=record,
            seed=settings.seed,
            sampler=settings.sampler,
        )

        def measure(name: str, params: Mapping[str, Any]) -> list[float]:
            model.become(self.spaces[name].method, params)
            scores = objective(model.whisper)
            _tell(name, params, dict(zip(objective.sets, scores, strict=True)))
            return scores

        worker = self.shard.number if self.shard else 1
        study.run(measure, settings.trials, settings.minutes, worker)
        if self.shard:
            return {}
        trials = study.finished
        if not trials:
            raise InputError(
                f"{self.output}: no trial was finished in the time; give more minutes."
            )
        best = best_first(trials, study.goals)[: settings.check]
        for place in sorted({0, *best}) if settings.check else ():
            trial = trials[place]
            if trial.number not in study.checked:
                model.become(self.spaces[trial.space].method, trial.params)
                study.keep_checked(trial.number, rates(model.whisper))
        goals = {
            "goals": _described(objective.sets),
            "checked_goals": _described(rates.sets) if study.checked else [],
        }
        print(
            f"{len(trials)} trials took {study.seconds:.1f} s, "
            f"{study.seconds / len(trials):.2f} s each.",
            file=sys.stderr,
        )
        return {
            **record,
            **goals,
            **told(study, study.checked, list(rates.sets)),
        }

    def _written(self, content: Mapping[str, Any]) -> Found:
        """Write the record, the picture, and the best model."""
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        with whole_file(self.output / SEARCH_JSON) as part:
            part.write_text(text, "utf-8")
        write_picture(self.output, content)
        best = content["trials"][content["best"]]
        space = self.spaces[best["space"]]
        digest = hashlib.sha256(text.encode()).hexdigest()
        merge = replace(
            self._planned(space.method, best["params"]),
            notes={"search": {"sha256": digest, "trial": content["best"]}},
        )
        PlannedMerge(merge=merge, jobs=self.jobs, device=self.device).run()
        return Found(self.output, content)

    def _planned(self, method: str, params: Mapping[str, Any]) -> Merge:
        """Return a merge of these inputs; that of an earlier call may be replaced."""
        shared = {**self.shared, "overwrite": True}
        built = build_method(method, params)
        return Merge(method=built, output=self.output / MODEL, **shared)

    def _record(self, merge: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the scores depend on, as JSON has it."""
        asked = asdict(self.settings)
        budget = ["minutes", "check"]
        if self.settings.sampler != "grid":  # whose levels follow from the trials
            budget.append("trials")
        places = ("threads", "device")
        record = {
            **{name: value for name, value in asked.items() if name not in budget},
            "spaces": {
                name: {
                    "method": space.method,
                    "params": space.filled(lambda name, _: name),
                    "open": {name: _stated(one) for name, one in space.open.items()},
                }
                for name, space in self.spaces.items()
            },
            **{k: merge[k] for k in ("base", "experts", "dtype", "compute_dtype")},
            "data": self.sets.record(),
            "decoding": {
                name: value
                for name, value in vars(self.sets.settings).items()
                if name not in places
            },
        }
        plain: dict[str, Any] = json.loads(json.dumps(record))
        return plain


def _stated(one: Open) -> dict[str, Any]:
    """Return what a file of ``conf/search`` would say of an open parameter."""
    stated = {k: v for k, v in vars(one).items() if v is not None and v is not False}
    return stated | ({"choices": list(one.choices)} if isinstance(one, Choices) else {})


def _described(sets: Mapping[Goal, Sequence[Path]]) -> list[dict[str, Any]]:
    return [
        {**goal._asdict(), "sets": [str(path) for path in paths]}
        for goal, paths in sets.items()
    ]


def _tell(name: str, values: Mapping[str, Any], scores: Mapping[Goal, float]) -> None:
    """Print a trial."""
    told = ", ".join(f"{goal.name} {score:.4g}" for goal, score in scores.items())
    shown = " ".join(f"{key}={value}" for key, value in values.items())
    print(f"{name} {shown}: {told}", file=sys.stderr)

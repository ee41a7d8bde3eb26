"""The trials of a search: Optuna proposes them, and a journal on the disk keeps them.

What the next trial is depends on the seed and on the trials before it alone. So a
search that was killed, or is given more trials, goes on as if nothing had happened.
"""

import math
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import optuna
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from espnet_merge.disk.lock import hold, hold_if_free
from espnet_merge.errors import InputError
from espnet_merge.search.goals import Goal
from espnet_merge.search.grid import grid
from espnet_merge.search.space import Space

JOURNAL = "trials.log"
# Fewer than Optuna's 50: a budget is a few dozen trials.
POPULATION = 10
# Fraction of the trials that are the best; Optuna's 0.1 would be two or three.
BEST = 0.25

# Returns the score of each goal, for the name of a space and parameters of its method.
type Measure = Callable[[str, Mapping[str, Any]], Sequence[float]]


class Trial(NamedTuple):
    """A finished trial.

    Attributes:
        number: of Optuna's; some are left out where a search was killed.
        space: name of the space.
        values: of the open parameters, by name.
        params: all parameters of the method.
        scores: one for each goal.
    """

    number: int
    space: str
    values: Mapping[str, Any]
    params: Mapping[str, Any]
    scores: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Study:
    """A search in a directory.

    Args:
        directory: where the journal is.
        spaces: what is tried, by name.
        goals: what for.
        record: what the scores depend on besides; a journal of another one is refused.
        seed: of the proposals.
        sampler: ``tpe``, ``nsga2``, or ``grid``: no sampler, but all of a full grid.
    """

    directory: Path
    spaces: Mapping[str, Space]
    goals: Sequence[Goal]
    record: Mapping[str, Any]
    seed: int = 0
    sampler: Literal["tpe", "nsga2", "grid"] = "tpe"

    def run(
        self,
        measure: Measure,
        trials: int,
        minutes: float | None = None,
        worker: int = 1,
    ) -> None:
        """Try, until all workers together have made ``trials``, or time is up.

        Args:
            measure: scores a merge.
            trials: number of trials, those that are there included; a grid, whose
                levels follow from the number, may have fewer.
            minutes: of this call, after which no trial is begun.
            worker: number of this process; each has another one.

        Raises:
            InputError: the journal is of another search, or the worker is at work.
        """
        end = None if minutes is None else time.monotonic() + 60 * minutes
        points = self._points(trials)
        with self._at_work(worker):
            while end is None or time.monotonic() < end:
                trial = self._next(trials, points, worker)
                if trial is None:
                    return
                name, params = self._proposed(trial)
                start = time.monotonic()
                scores = list(measure(name, params))
                trial.set_user_attr("params", params)
                trial.set_user_attr("seconds", time.monotonic() - start)
                self.stored.tell(trial, self._told(scores))

    def _told(self, scores: Sequence[float]) -> list[float]:
        """Return scores with the worst one for what is no number, as after an overflow.

        Optuna would take such a trial for failed, and propose it again for ever.
        """
        return [
            (-math.inf if goal.maximise else math.inf) if math.isnan(score) else score
            for goal, score in zip(self.goals, scores, strict=True)
        ]

    @property
    def finished(self) -> list[Trial]:
        """The trials so far."""
        return [
            Trial(
                trial.number,
                self._space_of(trial.params),
                {
                    name.removeprefix(self._prefix(self._space_of(trial.params))): value
                    for name, value in trial.params.items()
                    if name != "space"
                },
                trial.user_attrs["params"],
                trial.values,
            )
            for trial in self.stored.get_trials(states=[TrialState.COMPLETE])
        ]

    @property
    def seconds(self) -> float:
        """What the trials took, all together."""
        done = self.stored.get_trials(states=[TrialState.COMPLETE])
        return float(sum(trial.user_attrs["seconds"] for trial in done))

    @property
    def checked(self) -> dict[int, list[float]]:
        """Further scores of some trials, by number."""
        kept: Mapping[str, list[float]] = self.stored.user_attrs.get("checked", {})
        return {int(number): scores for number, scores in kept.items()}

    def keep_checked(self, number: int, scores: Sequence[float]) -> None:
        """Keep further scores of a trial."""
        self.stored.set_user_attr("checked", {**self.checked, number: list(scores)})

    def importances(self, goal: int) -> dict[str, float]:
        """Return how sensitive a goal is to each open parameter; the sum is 1.

        By PED-ANOVA, https://arxiv.org/abs/2304.10255: how much the values of the
        parameter in the best quarter of the trials differ from those in all. Empty
        where all trials are equal.
        """
        done = self.stored.get_trials(states=[TrialState.COMPLETE])
        if len({trial.values[goal] for trial in done}) < 2:
            return {}
        sign = -1 if self.goals[goal].maximise else 1
        with warnings.catch_warnings():
            # It says that less is taken as better, which the sign is for.
            warnings.filterwarnings("ignore", message="PedAnova", category=UserWarning)
            return optuna.importance.get_param_importances(
                self.stored,
                evaluator=PedAnovaImportanceEvaluator(target_quantile=BEST),
                target=lambda trial: sign * trial.values[goal],
            )

    @cached_property
    def stored(self) -> optuna.Study:
        """Optuna's study.

        Raises:
            InputError: the journal is of another search.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._alone():
            backend = JournalFileBackend(str(self._journal), _Lock(self._journal))  # type: ignore[arg-type]
            _mend(self._journal)
            study = optuna.create_study(
                storage=JournalStorage(backend),
                study_name="search",
                directions=[
                    "maximize" if goal.maximise else "minimize" for goal in self.goals
                ],
                load_if_exists=True,
            )
            if "record" not in study.user_attrs:
                study.set_user_attr("record", dict(self.record))
        there = study.user_attrs["record"]
        differing = [k for k, v in self.record.items() if there.get(k) != v]
        if differing:
            raise InputError(
                f"{self._journal}: holds trials of another search, which differs in"
                f" {', '.join(differing)}; give another --output, or --overwrite."
            )
        return study

    @property
    def _journal(self) -> Path:
        return self.directory / JOURNAL

    def _alone(self) -> BinaryIO:
        """Hold what one process at a time holds, when it takes a trial."""
        return hold(self.directory / ".taking")

    @contextmanager
    def _at_work(self, worker: int) -> Iterator[None]:
        """Be a worker; the trials of those that were killed have failed."""
        _ = self.stored  # takes the same lock while it is opened
        lock = hold_if_free(self._worker(worker))
        if lock is None:
            raise InputError(
                f"{self.directory}: part {worker} of this search is at work already;"
                " wait for it, or give another --shard."
            )
        with lock:
            try:
                with self._alone():
                    self._fail_dead(worker)
                yield
            finally:
                self._worker(worker).unlink(missing_ok=True)

    def _worker(self, number: int) -> Path:
        return self.directory / f".worker-{number}"

    def _fail_dead(self, worker: int) -> None:
        for trial in self.stored.get_trials(states=[TrialState.RUNNING]):
            # One that was killed as it took the trial had not yet said its number.
            other = trial.user_attrs.get("worker", worker)
            lock = None if other == worker else hold_if_free(self._worker(other))
            if other == worker or lock:
                self.stored.tell(trial.number, state=TrialState.FAIL)
            if lock:
                lock.close()

    def _next(
        self, most: int, points: Sequence[Mapping[str, Any]], worker: int
    ) -> optuna.Trial | None:
        """Take a trial; None where all are taken. The points come before others."""
        with self._alone():
            taken = self.stored.get_trials(
                states=[TrialState.RUNNING, TrialState.COMPLETE]
            )
            if len(taken) >= most:
                return None
            self.stored.sampler = self._sampler(len(taken))
            tried = {trial.user_attrs.get("point") for trial in taken}
            left = [place for place in range(len(points)) if place not in tried]
            if self.sampler == "grid" and not left:
                return None
            # One may wait whose worker was killed before it took the trial.
            if left and not self.stored.get_trials(states=[TrialState.WAITING]):
                self.stored.enqueue_trial(dict(points[left[0]]), {"point": left[0]})
            trial = self.stored.ask()
            trial.set_user_attr("worker", worker)
            return trial

    def _sampler(self, count: int) -> BaseSampler:
        """Return what proposes the trial after so many others."""
        seed = zlib.crc32(f"{self.seed} {count}".encode())
        if self.sampler == "nsga2":
            return NSGAIISampler(seed=seed, population_size=POPULATION)
        return TPESampler(seed=seed)

    def _points(self, trials: int) -> list[dict[str, Any]]:
        """Return what is tried whatever the scores are: of each space the first."""
        share = trials // len(self.spaces)
        return [
            self._named(name, values)
            for name, space in self.spaces.items()
            for values in (
                grid(space, share) if self.sampler == "grid" else [space.first]
            )
        ]

    def _named(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return values of a space by the names that they have in the journal."""
        prefix = self._prefix(name)
        own = {f"{prefix}{k}": value for k, value in values.items()}
        return {"space": name, **own} if prefix else own

    def _proposed(self, trial: optuna.Trial) -> tuple[str, dict[str, Any]]:
        name, *others = self.spaces
        if others:
            name = trial.suggest_categorical("space", [name, *others])
        prefix = self._prefix(name)
        space = self.spaces[name]
        return name, space.filled(lambda k, one: one.suggest(trial, f"{prefix}{k}"))

    def _prefix(self, name: str) -> str:
        """Return what the names of a space's parameters begin with."""
        return f"{name}." if len(self.spaces) > 1 else ""

    def _space_of(self, params: Mapping[str, Any]) -> str:
        return str(params.get("space", next(iter(self.spaces))))


class _Lock:
    """A lock on the journal that goes with the process that holds it."""

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_name(f".{journal.name}.lock")

    def acquire(self) -> bool:
        self._held = hold(self._path)
        return True

    def release(self) -> None:
        self._held.close()


def _mend(journal: Path) -> None:
    """Drop a line that a killed process has left without its end."""
    content = journal.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with journal.open("r+b") as file:
            file.truncate(whole)

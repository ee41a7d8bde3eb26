"""The objectives, levels and layers that a configuration declares."""

import dataclasses
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from espnet_merge.errors import InputError
from espnet_merge.objectives.best_rq import BestRQConf
from espnet_merge.objectives.cpc import CPCConf
from espnet_merge.objectives.solvers import MODO, Solver, build_solver

TEXT = "text"
BEST_RQ = "best_rq"
CPC = "cpc"
OF_SPEECH = (BEST_RQ, CPC)  # losses without text; each has its own head
LOSSES = (TEXT, *OF_SPEECH)
ANY = ".*"

Kind = tuple[str, str]  # task and language of an utterance


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A loss on some of the utterances.

    Args:
        task: regular expression for the whole of the utterance's task.
        language: the same for its language.
        loss: ``text``, ``best_rq`` or ``cpc``.
        own: regular expression, searched in parameter names; only this objective trains
            the parameters that match. Empty for none.
        by_language: whether it stands for one objective for each language.
    """

    task: str = ANY
    language: str = ANY
    loss: str = TEXT
    own: str = ""
    by_language: bool = False

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise InputError(
                f"loss must be one of {', '.join(LOSSES)}; got {self.loss!r}."
            )
        for name in ("task", "language", "own"):
            check_pattern(name, getattr(self, name))

    def takes(self, task: str, language: str) -> bool:
        """Return whether utterances of ``task`` and ``language`` belong to it."""
        return bool(
            re.fullmatch(self.task, task) and re.fullmatch(self.language, language)
        )

    def owns(self, parameter: str) -> bool:
        """Return whether only this objective trains the parameter of that name."""
        head = rf"^objectives\.{self.loss}\." if self.loss in OF_SPEECH else ""
        pattern = self.own or head
        return bool(pattern and re.search(pattern, parameter))


@dataclass(frozen=True, kw_only=True)
class Schedule:
    r"""The weight of a level, by epoch.

    .. math:: \eta_e = \min(first + (e - 1) \cdot rise, cap)

    Source: Saif et al. 2025. There eta starts at 0 and eta_1 at 0.1; both rise by 0.02
    per epoch up to a cap, which takes 75 epochs. ``Conf.pace`` fits the schedule into a
    shorter run.

    Example:
        >>> [Schedule(first=0.1, rise=0.02, cap=0.13).at(epoch) for epoch in (1, 2, 3)]
        [0.1, 0.12000000000000001, 0.13]
    """

    first: float = 1.0
    rise: float = 0.0
    cap: float = 1.5

    def __post_init__(self) -> None:
        if min(self.first, self.rise) < 0 or self.first > self.cap:
            raise InputError(
                "weight of a level must have 0 <= first <= cap and rise >= 0; got "
                f"first {self.first}, rise {self.rise}, cap {self.cap}."
            )

    def at(self, epoch: float) -> float:
        """Return eta in ``epoch``, which counts from 1."""
        return min(self.first + (epoch - 1) * self.rise, self.cap)


@dataclass(frozen=True)
class Level:
    """Objectives that are solved together, and the weight of their direction."""

    members: tuple[int, ...]
    weight: Schedule


@dataclass(frozen=True, kw_only=True)
class Layers:
    """Where the solver acts.

    Args:
        select: act only on conflicting layers; if false, on all shared layers.
        every: number of steps in which each layer's conflict is measured once.
        warm_up: number of steps before the solver acts.
    """

    select: bool = True
    every: int = 50
    warm_up: int = 0

    def __post_init__(self) -> None:
        if self.every < 1 or self.warm_up < 0:
            raise InputError(
                "layers must have every >= 1 and warm_up >= 0 steps; got "
                f"{self.every} and {self.warm_up}."
            )


@dataclass(frozen=True, kw_only=True)
class Conf:
    """The content of ``objectives_conf``, with objectives by language expanded.

    ``pace`` is the number of epochs of the levels' schedules in one epoch of training.
    """

    objectives: dict[str, Objective]
    levels: tuple[Level, ...]
    solver: Solver | None
    shared: str = r"model\.encoder\."
    layers: Layers = field(default_factory=Layers)
    best_rq: BestRQConf = field(default_factory=BestRQConf)
    cpc: CPCConf = field(default_factory=CPCConf)
    max_skipped: int = 10
    pace: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.pace < math.inf:
            raise InputError(
                "pace, how many epochs of the schedules an epoch stands for, must be "
                f"positive; got {self.pace}."
            )

    @property
    def names(self) -> list[str]:
        """The names of the objectives, in their order."""
        return list(self.objectives)

    def level_of(self, index: int) -> Level:
        """Return the level of an objective."""
        return next(level for level in self.levels if index in level.members)

    def samples(self, index: int) -> int:
        """Return the number of batches of an objective in a step.

        It is 1 if the objective is alone in its level, which then needs no solver.
        """
        if self.solver is None or len(self.level_of(index).members) == 1:
            return 1
        return self.solver.samples

    def etas(self, epoch: int) -> list[float]:
        """Return the weight of each objective's level in an epoch."""
        place = 1 + (epoch - 1) * self.pace
        return [self.level_of(i).weight.at(place) for i in range(len(self.names))]

    def static_weights(self, epoch: int) -> list[float]:
        """Return eta / M for each objective, M being the size of its level."""
        sizes = [len(self.level_of(i).members) for i in range(len(self.names))]
        return [eta / m for eta, m in zip(self.etas(epoch), sizes, strict=True)]


def read_conf(given: Mapping[str, Any], kinds: Collection[Kind]) -> Conf:
    """Return the configuration that ``objectives_conf`` declares.

    Args:
        given: content of the YAML file.
        kinds: task and language of all training utterances.

    Raises:
        InputError: a key, name or value that is not allowed, or an objective without
            data.
    """
    rest = dict(given)
    declared = {
        name: build(Objective, f"objective {name}", value)
        for name, value in _mapping("objectives", rest.pop("objectives", {})).items()
    }
    groups = {name: _spelled_out(name, o, kinds) for name, o in declared.items()}
    objectives = {name: o for group in groups.values() for name, o in group.items()}
    order = {name: index for index, name in enumerate(objectives)}
    members = {group: [order[name] for name in groups[group]] for group in groups}
    one = [{"objectives": list(groups)}]
    levels = [_mapping("a level", level) for level in rest.pop("levels", one)]
    rest["solver"] = build_solver(
        rest.get("solver", MODO), _mapping("solver_conf", rest.pop("solver_conf", {}))
    )
    rest["layers"] = build(Layers, "layers", rest.get("layers", {}))
    rest[BEST_RQ] = build(BestRQConf, BEST_RQ, rest.get(BEST_RQ, {}))
    rest[CPC] = build(CPCConf, CPC, rest.get(CPC, {}))
    check_pattern("shared", rest.get("shared", ""))
    if len(objectives) < 2 and rest["solver"] is not None:
        raise InputError(
            f"a solver needs at least two objectives; got {len(objectives)}: declare "
            "more, or set 'solver: static'."
        )
    rest |= {"objectives": objectives, "levels": _levels(levels, members)}
    return build(Conf, "objectives_conf", rest)


def build[T](class_: type[T], what: str, values: Any) -> T:  # noqa: ANN401
    """Return ``class_(**values)``; an error lists the allowed keys.

    Raises:
        InputError: an unknown key, no mapping, or a value of the wrong type.
    """
    known = [f.name for f in dataclasses.fields(class_)]  # type: ignore[arg-type]
    if odd := sorted(set(_mapping(what, values)) - set(known)):
        raise InputError(
            f"{what} may have {', '.join(known)}; got {odd[0]!r}: correct the name."
        )
    try:
        return class_(**values)
    except TypeError as error:
        raise InputError(f"{what} has a value of the wrong type: {error}.") from error


def check_pattern(name: str, pattern: str) -> None:
    """Raise ``InputError`` unless ``pattern`` is a regular expression."""
    try:
        re.compile(pattern)
    except (re.error, TypeError) as error:
        raise InputError(
            f"{name} must be a regular expression; got {pattern!r} ({error})."
        ) from None


def _mapping(what: str, value: Any) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(value, Mapping):
        raise InputError(f"{what} must be keys with values; got {value!r}.")
    return dict(value)


def _spelled_out(
    name: str, objective: Objective, kinds: Collection[Kind]
) -> dict[str, Objective]:
    languages = sorted({kind[1] for kind in kinds if objective.takes(*kind)})
    if not languages:
        there = ", ".join(" ".join(kind) for kind in sorted(kinds)) or "nothing"
        raise InputError(
            f"objective {name} must have utterances: task {objective.task!r} and "
            f"language {objective.language!r} match none; there is {there}: correct "
            "the patterns, utt2task or utt2lang."
        )
    if not objective.by_language:
        return {name: objective}
    return {
        f"{name}_{language}": dataclasses.replace(
            objective, language=re.escape(language), by_language=False
        )
        for language in languages
    }


def _levels(
    given: Sequence[Mapping[str, Any]], members: Mapping[str, list[int]]
) -> tuple[Level, ...]:
    placed = [name for level in given for name in level.get("objectives", [])]
    if sorted(placed) != sorted(members):
        raise InputError(
            f"levels must hold each objective once ({', '.join(members) or 'none'}); "
            f"got {', '.join(map(str, placed)) or 'none'}."
        )
    levels = []
    for level in given:
        if odd := sorted(set(level) - {"objectives", "weight"}):
            raise InputError(f"a level may have objectives and weight; got {odd[0]!r}.")
        weight = level.get("weight", {})
        if isinstance(weight, int | float):
            weight = {"first": weight, "cap": max(weight, Schedule.cap)}
        indices = tuple(i for name in level["objectives"] for i in members[name])
        levels.append(Level(indices, build(Schedule, "weight of a level", weight)))
    return tuple(levels)

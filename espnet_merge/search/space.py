"""What a search may try: the parameters of a method, some of which are open.

A file ``method: NAME`` and ``params: {…}`` as of ``conf/merge``, in which any value may
be

- ``{low: 0.1, high: 2}``: a number between the two; ``log: true`` for a factor rather
  than a difference, ``step: 0.1`` for multiples of it;
- ``{choices: [mean, sum]}``: one of some values;
- ``{each: …}``: a list, with one such value for each expert.

So may the values of a mapping from patterns on the names of tensors, which makes a
scale for the encoder and one for the decoder. ``first`` says what is tried first;
``1/n`` is one over the number of experts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from espnet_merge.errors import InputError
from espnet_merge.merging.config import read_config
from espnet_merge.methods import METHODS, build_method
from espnet_merge.options import unknown

if TYPE_CHECKING:
    from optuna import Trial

type Value = float | str | bool | None


@dataclass(frozen=True, kw_only=True)
class Range:
    """A number from ``low`` to ``high``, both included.

    Args:
        low: least value.
        high: largest value.
        log: draw uniformly on a logarithmic scale.
        step: distance of the values from each other, from ``low`` on; None for any.
        first: value that is tried first; None for none.
        whole: whether whole numbers alone are drawn.

    Raises:
        InputError: no such numbers.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    first: float | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high", "step", "first"):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, int | float | None):
                raise InputError(f"{name} must be a number; got {number!r}.")
        if not self.low < self.high:
            raise InputError(
                f"low must be below high; got {self.low:g} and {self.high:g}."
            )
        if self.log and (self.low <= 0 or self.step is not None):
            raise InputError(
                "log needs a low above 0, and no step; drop log, or change the two."
            )
        if self.first is not None and not self.low <= self.first <= self.high:
            raise InputError(
                f"first must be from low to high, {self.low:g} to {self.high:g}; got"
                f" {self.first:g}."
            )

    @property
    def ends(self) -> tuple[float, float]:
        """Two values that show whether the method takes all of them."""
        return self.low, self.high

    def suggest(self, trial: "Trial", name: str) -> float:
        """Draw a value."""
        if self.whole:
            low, high, step = map(int, (self.low, self.high, self.step or 1))
            return trial.suggest_int(name, low, high, step=step, log=self.log)
        return trial.suggest_float(
            name, self.low, self.high, step=self.step, log=self.log
        )


@dataclass(frozen=True, kw_only=True)
class Choices:
    """One of some values.

    Args:
        choices: the values: numbers, words, true, false or null.
        first: the one that is tried first; None for any.

    Raises:
        InputError: a value is a list, or there are less than two.
    """

    choices: Sequence[Value]
    first: Value = None

    def __post_init__(self) -> None:
        many = isinstance(self.choices, list | tuple) and len(self.choices) > 1
        if not many or any(isinstance(one, list | dict) for one in self.choices):
            raise InputError(
                f"choices must be a list of two words or numbers or more; got"
                f" {self.choices!r}."
            )
        if self.first is not None and self.first not in self.choices:
            raise InputError(f"first must be one of the choices; got {self.first!r}.")

    @property
    def ends(self) -> tuple[Value, Value]:
        """Two values that show whether the method takes all of them."""
        return self.choices[0], self.choices[-1]

    def suggest(self, trial: "Trial", name: str) -> Value:
        """Draw a value."""
        value: Value = trial.suggest_categorical(name, self.choices)
        return value


type Open = Range | Choices


@dataclass(frozen=True)
class Space:
    """The parameters of a method, some of which are open.

    Args:
        method: name of the method.
        params: parameters; where one is open, a ``Range`` or ``Choices`` stands in the
            place of a value, in mappings and lists, too.
    """

    method: str
    params: Mapping[str, Any]

    def filled(self, pick: Callable[[str, Open], Any]) -> dict[str, Any]:
        """Return the parameters, with ``pick(name, open)`` where one is open.

        Example:
            >>> space = Space("soup", {"weights": [Range(low=0, high=1), 0.5]})
            >>> space.filled(lambda name, one: name)
            {'weights': ['weights[1]', 0.5]}
        """
        return {key: _filled(value, key, pick) for key, value in self.params.items()}

    @property
    def open(self) -> dict[str, Open]:
        """The open parameters by name."""
        found: dict[str, Open] = {}
        self.filled(found.__setitem__)
        return found

    @property
    def first(self) -> dict[str, Any]:
        """The values that are tried first, by the names of their parameters."""
        return {k: one.first for k, one in self.open.items() if one.first is not None}


def read_space(file: Path, experts: int, fixed: Mapping[str, Any]) -> Space:
    """Return what a file of ``conf/search`` leaves open.

    Args:
        file: the YAML file.
        experts: number of experts.
        fixed: parameters that override those of the file.

    Raises:
        InputError: the file has another form, the method does not take the values, or
            nothing is open.
    """
    config = read_config(file)
    method, params = config["method"], config["params"]
    if method not in METHODS:
        build_method(method, {})  # says which there are
    hints = get_type_hints(METHODS[method])
    given = {**params, **fixed}
    space = Space(
        method,
        {
            key: _read(f"{file}: {key}", value, experts, _is_whole(hints.get(key)))
            for key, value in given.items()
        },
    )
    if not space.open:
        raise InputError(
            f"{file}: nothing is open; write a range such as scale: {{low: 0.3, high:"
            " 3}."
        )
    for end in (0, 1):
        params = space.filled(lambda _, one, end=end: one.ends[end])  # type: ignore[misc]
        build_method(method, params)
    return space


def _filled(value: Any, name: str, pick: Callable[[str, Open], Any]) -> Any:  # noqa: ANN401
    match value:
        case Range() | Choices():
            return pick(name, value)
        case Mapping():
            return {k: _filled(v, f"{name}[{k}]", pick) for k, v in value.items()}
        case list():
            pairs = enumerate(value, 1)
            return [_filled(one, f"{name}[{i}]", pick) for i, one in pairs]
    return value


def _read(where: str, value: Any, experts: int, whole: bool) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_read(where, one, experts, whole) for one in value]
    if not isinstance(value, Mapping):
        return value
    if value.get("first") == "1/n":
        value = {**value, "first": 1 / experts}
    if "low" in value:
        return _open(where, Range, {**value, "whole": whole})
    if "choices" in value:
        return _open(where, Choices, value)
    if value.keys() == {"each"}:
        return [_read(where, value["each"], experts, whole)] * experts
    return {k: _read(f"{where}: {k}", v, experts, whole) for k, v in value.items()}


def _open(where: str, kind: type[Open], given: Mapping[str, Any]) -> Open:
    known = [field.name for field in fields(kind)]
    for name in given:
        if name not in known:
            raise InputError(f"{where}: {unknown('setting', str(name), known)}")
    if kind is Range and "high" not in given:
        raise InputError(f"{where}: a range needs low and high; write both.")
    try:
        return kind(**given)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _is_whole(hint: Any) -> bool:  # noqa: ANN401
    return int in (hint, *get_args(hint))

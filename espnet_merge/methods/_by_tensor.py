"""Parameters that differ from tensor to tensor, by patterns on the names."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from espnet_merge.errors import InputError
from espnet_merge.methods._base import Method

DEFAULT = "default"


@dataclass(frozen=True, eq=False, repr=False)
class ByTensor:
    """A plain method for each tensor, with the parameters that its name selects.

    A value that is a mapping holds regular expressions. The first one found in the
    name of a tensor decides; ``default`` does where none is found. All plain methods
    are of one class. What depends on their parameters is asked of each of them.

    Args:
        kind: Class of the plain methods.
        build: Makes a plain method of parameters without patterns.
        given: Parameters as they were given, some of them mappings.

    Raises:
        InputError: a pattern is no regular expression, or a default is not valid.
    """

    kind: type[Method]
    build: Callable[[Mapping[Any, Any]], Method]
    given: Mapping[Any, Any]
    _of_names: dict[str, Method] = field(default_factory=dict, init=False)
    _distinct: dict[Method, Method] = field(default_factory=dict, init=False)

    @classmethod
    def same(cls, method: Method) -> "ByTensor":
        """Return ``method`` at every tensor."""
        return cls(type(method.plain), lambda _: method, method.params)

    def __post_init__(self) -> None:
        """Check the patterns, and the values that hold where none is found."""
        for key, pattern, _ in self._patterns():
            _check_pattern(key, pattern)
        self.at("")

    def __repr__(self) -> str:
        values = ", ".join(f"{key}={value!r}" for key, value in self.params.items())
        return f"{self.kind.__name__}({values})"

    @property
    def params(self) -> dict[str, Any]:
        """Parameters as they were given, the others at their defaults."""
        return self.at("").params | dict(self.given)

    def at(self, name: str) -> Method:
        """Return the plain method for the tensor ``name``.

        Raises:
            InputError: the value that a pattern selects is not valid.
        """
        if name not in self._of_names:
            # Equal ones are one object: the files that it reads are opened once.
            method = self.build(self._chosen(name))
            self._of_names[name] = self._distinct.setdefault(method, method)
        return self._of_names[name]

    def check_names(self, names: Sequence[str]) -> None:
        """Raise ``InputError`` for a pattern that is found in none of the names."""
        for key, pattern, _ in self._patterns():
            if pattern != DEFAULT and not any(re.search(pattern, n) for n in names):
                raise InputError(
                    f"{key}: the pattern {pattern!r} matches no tensor;"
                    f" names are like {names[0]}."
                )

    def _patterns(self) -> list[tuple[str, Any, Any]]:
        return [
            (key, pattern, value)
            for key, mapping in self.given.items()
            if isinstance(mapping, Mapping)
            for pattern, value in mapping.items()
        ]

    def _chosen(self, name: str) -> dict[str, Any]:
        """Return the parameters of the tensor ``name``."""
        chosen = {k: v for k, v in self.given.items() if not isinstance(v, Mapping)}
        # The first pattern found wins, so that later ones must not overwrite it.
        for key, pattern, value in self._patterns():
            if pattern != DEFAULT and name and re.search(pattern, name):
                chosen.setdefault(key, value)
        for key, pattern, value in self._patterns():
            if pattern == DEFAULT:
                chosen.setdefault(key, value)
        return chosen


def _check_pattern(key: str, pattern: object) -> None:
    if not isinstance(pattern, str):
        raise InputError(
            f"{key}: a pattern must be a string, got {pattern!r}; quote it."
        )
    try:
        re.compile(pattern)
    except re.error as error:
        raise InputError(
            f"{key}: {pattern!r} is not a regular expression ({error}); correct it."
        ) from error

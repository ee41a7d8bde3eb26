"""Parameters that differ from tensor to tensor, by patterns on the names."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet_merge.arrays import Array
from espnet_merge.errors import InputError
from espnet_merge.methods._base import NO_INFO, Method, TensorInfo

DEFAULT = "default"
# What the loop over tensors asks a method, one answer for all methods of a kind.
ATTRIBUTES = ("space", "arrays", "base", "factored", "min_experts", "max_experts")


class Layered(Method):
    """A plain method at each tensor, with the parameters that its name selects.

    A value that is a mapping holds regular expressions: at a tensor the first one found
    in its name decides, ``default`` where there is none. The loop over tensors asks
    for the plain method of each, and lets each distinct one look at the whole model.

    Args:
        build: Makes the plain method of some parameters.
        params: Parameters, at least one of them a mapping.

    Raises:
        InputError: a pattern is no regular expression, or a default is not valid.
    """

    def __init__(
        self, build: Callable[[Mapping[str, Any]], Method], params: Mapping[str, Any]
    ) -> None:
        self._build = build
        self._params = dict(params)
        for key, pattern, _ in self._patterns():
            _check_pattern(key, pattern)
        self.default = self._at("")
        for attribute in ATTRIBUTES:
            setattr(self, attribute, getattr(self.default, attribute))
        self._methods: dict[str, Method] = {}
        self._distinct = {self.default: self.default}

    @property
    def kind(self) -> type[Method]:
        """Class of the plain methods."""
        return self.default.kind

    @property
    def params(self) -> dict[str, Any]:
        """Parameters as they were given, the others at their defaults."""
        return self.default.params | self._params

    def __repr__(self) -> str:
        values = ", ".join(f"{key}={value!r}" for key, value in self.params.items())
        return f"{self.kind.__name__}({values})"

    def __call__(
        self, tensors: Sequence[Array], info: TensorInfo = NO_INFO, /
    ) -> Array:
        """Merge as the plain method for ``info.name`` does."""
        return self.at(info.name)(tensors, info)

    def at(self, name: str) -> Method:
        """Return the plain method for the tensor ``name``."""
        if name not in self._methods:
            # Equal ones are one object: the files that it reads are opened once.
            method = self._at(name)
            self._methods[name] = self._distinct.setdefault(method, method)
        return self._methods[name]

    def check_experts(self, count: int) -> None:
        """Raise ``InputError`` where ``count`` experts do not suit a tensor met."""
        for method in self._distinct:
            method.check_experts(count)

    @property
    def files(self) -> tuple[Path, ...]:
        """Files of all plain methods."""
        return tuple(
            dict.fromkeys(f for method in self._distinct for f in method.files)
        )

    def check_digests(self, digests: Sequence[str]) -> None:
        """Raise ``InputError`` where files of a plain method are of other experts."""
        for method in self._distinct:
            method.check_digests(digests)

    def check_names(self, names: Sequence[str]) -> None:
        """Raise ``InputError`` for a pattern without a tensor, or a bad value."""
        for key, pattern, _ in self._patterns():
            if pattern != DEFAULT and not any(re.search(pattern, n) for n in names):
                raise InputError(
                    f"{key}: the pattern {pattern!r} matches no tensor;"
                    f" names are like {names[0]}."
                )
        for name in names:
            self.at(name)
        for method in self._distinct:
            method.check_names(names)

    def _patterns(self) -> list[tuple[str, Any, Any]]:
        return [
            (key, pattern, value)
            for key, mapping in self._params.items()
            if isinstance(mapping, Mapping)
            for pattern, value in mapping.items()
        ]

    def _at(self, name: str) -> Method:
        chosen = {k: v for k, v in self._params.items() if not isinstance(v, Mapping)}
        # The first pattern found wins, so that later ones must not overwrite it.
        for key, pattern, value in self._patterns():
            if pattern != DEFAULT and name and re.search(pattern, name):
                chosen.setdefault(key, value)
        for key, pattern, value in self._patterns():
            if pattern == DEFAULT:
                chosen.setdefault(key, value)
        return self._build(chosen)


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

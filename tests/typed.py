"""Shapes and types in the signatures of the arithmetic, checked at every call.

jaxtyping's own hook also wraps closures each time that one is made, which takes most of
the time of the tests; here functions and methods are wrapped once, when their module
has been imported, and those alone that take or return arrays.
"""

import sys
from functools import wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder, SourceFileLoader
from inspect import isgeneratorfunction
from types import FunctionType, ModuleType
from typing import Any

from beartype import BeartypeConf, beartype
from jaxtyping import jaxtyped

PACKAGES = ("espnet_merge.linalg", "espnet_merge.methods")
# An int is a float, as mypy has it.
CONF = BeartypeConf(is_pep484_tower=True)


def install() -> None:
    """Check what will be imported of ``PACKAGES``."""
    early = [name for name in sys.modules if name.startswith(PACKAGES)]
    if early:
        raise RuntimeError(f"imported before they could be checked: {early}")
    sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        spec = PathFinder.find_spec(name, path) if name.startswith(PACKAGES) else None
        if spec:
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        for name, value in list(vars(module).items()):
            if getattr(value, "__module__", "") == module.__name__:
                setattr(module, name, checked(value))


def checked(value: Any) -> Any:
    """Return a function that checks its arrays, or a class whose methods do."""
    if isinstance(value, type):
        for name, member in list(vars(value).items()):
            if isinstance(member, FunctionType | staticmethod | property):
                setattr(value, name, checked(member))
        return value
    if isinstance(value, staticmethod):
        return staticmethod(checked(value.__func__))
    if isinstance(value, property):
        return property(checked(value.fget))
    if isinstance(value, FunctionType) and _takes_arrays(value):
        return _with_names_of_sides(beartype(value, conf=CONF))
    return value


def _with_names_of_sides(function: FunctionType) -> FunctionType:
    """Let a name such as "rows" be one number throughout a call."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with jaxtyped("context"):
            return function(*args, **kwargs)

    return call


def _takes_arrays(function: FunctionType) -> bool:
    if isgeneratorfunction(function):
        # It runs when others do, whose "rows" are not its own.
        return False
    hints = repr(function.__annotations__)
    return any(word in hints for word in ("jaxtyping.", "ByExpert", "Matrices"))

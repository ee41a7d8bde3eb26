"""Build a method from names and values as they stand in YAML or on a command line."""

import contextlib
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from espnet_merge.errors import InputError
from espnet_merge.methods._base import Method
from espnet_merge.methods._by_tensor import ByTensor
from espnet_merge.methods._table import METHODS
from espnet_merge.methods.svc import Svc

# What a user calls one value of a type, and many. Texts are names of files.
NAMES = {
    bool: ("true or false", "true or false"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a path", "paths"),
}


# Parameters of every method: a step after the merge.
STEP: dict[str, Any] = {"calibrate": Literal["none", "svc"], "svc_alpha": float}

# What others call a method.
ALSO_CALLED = {"linear": "soup", "dare_linear": "dare"}


def find_method(name: str) -> str | None:
    """Return our name of a method, however it is written; None if there is none.

    >>> find_method("TIES"), find_method("multislerp"), find_method("linear")
    ('ties', 'multi_slerp', 'soup')
    """
    known = {_letters(one): one for one in METHODS}
    known |= {_letters(other): one for other, one in ALSO_CALLED.items()}
    return known.get(_letters(name))


def _letters(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


def build_method(name: str, params: Mapping[Any, Any]) -> Method | ByTensor:
    """Return the method called ``name`` with the hyper-parameters ``params``.

    A value may be a mapping from regular expressions to values: then there is a method
    for each tensor, see :class:`ByTensor`. Every method takes ``calibrate`` and
    ``svc_alpha``, too: a step after the merge, see :class:`Svc`.

    Raises:
        InputError: unknown name or parameter, or a value of the wrong type or range.

    Example:
        >>> build_method("task_arithmetic", {"scale": 0.3})
        TaskArithmetic(scale=0.3, weights=None)
    """
    if (found := find_method(name)) is None:
        raise InputError(_unknown("method", name, METHODS))
    method = METHODS[found]
    hints = get_type_hints(method) | STEP
    known = [field.name for field in fields(method)]  # type: ignore[arg-type]
    known += STEP
    for key in params:
        if key not in known:
            raise InputError(_unknown(f"parameter of {found}", str(key), known))
    if "svc_alpha" in params and "calibrate" not in params:
        raise InputError("svc_alpha is of calibrate=svc, which is not given; add it.")

    def build(plain: Mapping[Any, Any]) -> Method:
        values = {k: _convert(k, v, hints[k]) for k, v in plain.items()}
        step = {key: values.pop(key) for key in STEP if key in values}
        return _with_step(method(**values), **step)

    if any(isinstance(value, Mapping) for value in params.values()):
        return ByTensor(method, build, params)
    return build(params)


def _with_step(
    method: Method, calibrate: str = "none", svc_alpha: float = Svc.alpha
) -> Method:
    return Svc(method=method, alpha=svc_alpha) if calibrate == "svc" else method


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else "choose one of these."
    return f"unknown {kind} {name!r}: there are {', '.join(known)}; {remedy}"


def _convert(name: str, value: Any, hint: Any) -> Any:  # noqa: ANN401
    """Return ``value`` as the type ``hint`` of a field, or say what is expected."""
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if value is None and NoneType in options:
        return None
    hint = next(option for option in options if option is not NoneType)
    if get_origin(hint) is Literal and value in get_args(hint):
        return value
    if get_origin(hint) is tuple and isinstance(value, list | tuple):
        item_hint = get_args(hint)[0]
        return tuple(_convert(name, item, item_hint) for item in value)
    if hint in (bool, int, str) and type(value) is hint:
        return value
    if hint is float and type(value) in (int, float, str):
        # YAML reads 1e-3 as a string: it wants a dot in a number.
        with contextlib.suppress(ValueError):
            return float(value)
    raise InputError(
        f"{name} must be {_describe(hint)}, got {value!r}; change the value."
    )


def _describe(hint: Any) -> str:  # noqa: ANN401
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(str, get_args(hint)))
    if get_origin(hint) is tuple:
        return f"a list of {NAMES[get_args(hint)[0]][1]}"
    return NAMES[hint][0]

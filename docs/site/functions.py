"""Tells mkdocstrings of the functions that are made of commands when they are imported.

Griffe reads code and does not run it: there ``merge`` is what ``function`` returns.
"""

import inspect
import re
from dataclasses import MISSING
from typing import Any

import griffe

import espnet_merge as em
from espnet_merge.__main__ import COMMANDS

NAMES = [name for name in em.__all__ if name in COMMANDS]
# Where a type is from says little to a reader: Sequence, Path, Literal.
PLACE = re.compile(r"\b(?:[a-z_]+\.)+(?=[A-Z])")


class Functions(griffe.Extension):
    """Puts a function, with signature and docstring, in the place of each attribute."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Replace the functions of the package's front door."""
        if pkg.path == em.__name__:
            for name in NAMES:
                pkg[f"bin.{name}"].set_member(name, described(name))


def described(name: str) -> griffe.Function:
    """Return a function of the package as griffe describes functions."""
    function = getattr(em, name)
    signature = inspect.signature(function)
    parameters = [_parameter(one) for one in signature.parameters.values()]
    # Griffe knows the plural as a section, which it shows as code.
    text = (inspect.getdoc(function) or "").replace("\nExample:\n", "\nExamples:\n")
    return griffe.Function(
        name,
        parameters=griffe.Parameters(*parameters),
        returns=_shown(signature.return_annotation),
        docstring=griffe.Docstring(text, parser="google"),
    )


def _parameter(one: inspect.Parameter) -> griffe.Parameter:
    default = None if one.default is one.empty else repr(one.default)
    return griffe.Parameter(
        one.name,
        kind=griffe.ParameterKind.keyword_only,
        annotation=_shown(one.annotation),
        # What a factory makes differs from call to call.
        default="..." if one.default is MISSING else default,
    )


def _shown(hint: Any) -> str:
    return PLACE.sub(
        "", hint if isinstance(hint, str) else inspect.formatannotation(hint)
    )

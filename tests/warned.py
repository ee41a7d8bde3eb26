"""Whose warning it is: what our code calls is an error; a dependency's calls are not.

A release of a dependency may deprecate what another dependency calls. Nothing of ours
is amiss then and nothing here can mend it: such a warning is printed in pytest's
summary, or stands in ``KNOWN`` and is silent. Everything else is an error: a
deprecation of what our code calls, and any other warning, whoever calls.

Python's filters cannot tell the two apart, for they know one frame, the one that
``stacklevel`` names. That is ``torch.nn.Module.__call__`` where a layer's argument is
deprecated, and the dependency itself where a function says of itself that it is
deprecated, whoever called it. Here the warning is judged while it is given, with the
whole stack at hand: the filter of ``pyproject.toml`` lets all of them come so far.
"""

import re
import sys
import sysconfig
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest


class Known(NamedTuple):
    """A warning of one dependency that another one causes, which nobody need read."""

    caller: str  # the package whose code calls what warns
    category: type[Warning]
    message: str  # a regular expression that it begins with
    package: str  # the distribution that must change,
    ends_in: str  # and its first release that does, or that pyproject.toml forbids


KNOWN = (
    Known(
        caller="peft",
        category=FutureWarning,
        message="`is_gradient_checkpointing` is deprecated and will be removed in v6",
        package="transformers",
        ends_in="6",
    ),
    # An error would leave it with half its types, and crash Python at exit.
    Known(
        caller="sentencepiece",
        category=DeprecationWarning,
        message="builtin type [Ss]wig[A-Za-z]+ has no __module__ attribute",
        package="sentencepiece",
        ends_in="0.2.2",
    ),
    # importlib.resources.path, whose deprecation Python 3.13 took back.
    Known(
        caller="silero_vad",
        category=DeprecationWarning,
        message=r"path is deprecated. Use files\(\) instead",
        package="silero-vad",
        ends_in="7",
    ),
    # A loader starts its workers as Python does by default: by a fork, before Python
    # 3.14. Whether a test has threads then depends on the machine; a process of xdist
    # has, always.
    Known(
        caller="torch",
        category=DeprecationWarning,
        message=r"This process \(pid=\d+\) is multi-threaded, use of fork\(\) may lead",
        package="torch",
        ends_in="3",
    ),
)
DEPRECATIONS = (
    DeprecationWarning,
    PendingDeprecationWarning,
    FutureWarning,
    SyntaxWarning,  # how the compiler deprecates
)
# They run the tests: what they warn of is what a test does.
TOOLS = ("_pytest", "hypothesis", "pluggy", "xdist")
# They call what they are given: who gave it is the caller. So does Python's library.
GO_BETWEENS = (
    "/torch/nn/modules/module.py",
    "/torch/nn/modules/container.py",
    "/torch/utils/_contextlib.py",
)
STANDARD_LIBRARY = sysconfig.get_path("stdlib")

Show = Callable[..., None]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Judge the warnings of imports."""
    with judged():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Judge the warnings of a test, its fixtures included."""
    with judged():
        return (yield)


@contextmanager
def judged() -> Iterator[None]:
    """Have Python show warnings to ``judge`` first, then to whom it did before."""
    with patch.object(warnings, "showwarning", judge(warnings.showwarning)):
        yield


def judge(show: Show) -> Show:
    """Return a ``warnings.showwarning`` that raises, drops, or shows."""

    def showwarning(
        message: Warning,
        category: type[Warning],
        filename: str,
        lineno: int,
        *rest: Any,
    ) -> None:
        package = calling_package(filename, lineno)
        if package is None:
            raise message
        if any(is_known(entry, package, message) for entry in KNOWN):
            return
        if not issubclass(category, DEPRECATIONS):
            raise message
        show(message, category, filename, lineno, *rest)

    return showwarning


def is_known(entry: Known, package: str, message: Warning) -> bool:
    return (
        package == entry.caller
        and isinstance(message, entry.category)
        and re.match(entry.message, str(message)) is not None
    )


def calling_package(filename: str, lineno: int) -> str | None:
    """Return the dependency whose code calls what warns, or None if ours does.

    Args:
        filename: The file that the warning names.
        lineno: The line in it.
    """
    frames = [*outwards(sys._getframe())]
    named = [(f.f_code.co_filename, f.f_lineno) == (filename, lineno) for f in frames]
    if not any(named):
        return dependency(filename)  # of a file, not of a call: so warns the compiler
    first = named.index(True)
    if first == 0 and warns_of_itself(frames[0]):
        first = 1
    for frame in frames[first:]:
        if not is_go_between(frame.f_code.co_filename):
            return dependency(frame.f_code.co_filename)
    return None


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield who called whom, from what warns on."""
    while frame:
        if frame.f_code.co_filename not in (__file__, warnings.__file__):
            yield frame
        frame = frame.f_back


def warns_of_itself(frame: FrameType) -> bool:
    """Say if a dependency's function has given the warning that names itself.

    Otherwise a function in C has, of which the stack does not know, and the frame is
    that of its caller.
    """
    names = frame.f_code.co_names
    return any("warn" in x for x in names) and bool(
        dependency(frame.f_code.co_filename)
    )


def dependency(filename: str) -> str | None:
    """Return the package in site-packages that a file belongs to."""
    _, installed, path = filename.partition("/site-packages/")
    package = Path(path).parts[0].removesuffix(".py") if installed else None
    return None if package in TOOLS else package


def is_go_between(filename: str) -> bool:
    if "/site-packages/" in filename:
        return filename.endswith(GO_BETWEENS)
    return filename.startswith((STANDARD_LIBRARY, "<frozen "))

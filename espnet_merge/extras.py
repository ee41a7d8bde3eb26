"""Packages that some commands need and merging does not: which extra brings them."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from espnet_merge.errors import InputError

# Modules that are not called as the package that holds them.
PACKAGES = {"espnet2": "espnet", "sklearn": "scikit-learn", "whisper": "openai-whisper"}


@contextmanager
def named_extra(command: str) -> Iterator[None]:
    """Turn the absence of a package that an extra brings into an ``InputError``.

    Args:
        command: that runs; where an extra has its name, this is the first choice.

    Raises:
        InputError: a package of an extra is not installed. What else cannot be imported
            is a ``ModuleNotFoundError``, as before.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        extra = extra_of(module, first=command)
        if not extra:
            raise
        raise InputError(
            f"{module} is needed for this and is not installed: run pip install"
            f" 'espnet_merge[{extra}]', or make setup in a clone."
        ) from error


def extra_of(module: str, first: str = "") -> str | None:
    """Return the extra that brings a module: ``first`` if it does, else the smallest.

    Args:
        module: as it is imported, without submodules.
        first: an extra that may be.
    """
    from packaging.utils import canonicalize_name

    package = canonicalize_name(PACKAGES.get(module, module))
    bringing = sorted(
        (extra != first, len(packages), extra)
        for extra, packages in extras().items()
        if package in packages
    )
    return bringing[0][-1] if bringing else None


@cache
def extras() -> dict[str, set[str]]:
    """Return the packages of each extra; there are none where this is not installed."""
    from importlib import metadata  # slow

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found: dict[str, set[str]] = defaultdict(set)
    try:
        distribution = metadata.distribution(__package__)
    except metadata.PackageNotFoundError:
        return found
    for one in map(Requirement, distribution.requires or []):
        for extra in distribution.metadata.get_all("Provides-Extra") or []:
            if one.marker and one.marker.evaluate({"extra": extra}):
                found[extra].add(canonicalize_name(one.name))
    return found

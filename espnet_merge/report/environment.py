"""The origin of results: versions, commit, command and base model."""

import platform
import subprocess
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from espnet_merge.checkpoint.hf import is_hf, weight_files
from espnet_merge.disk.digest import sha256

PACKAGES = ("espnet_merge", "espnet", "torch", "transformers", "peft", "rapidfuzz")

# Facts that belong to the fact before them.
DETAILS = ("Commit date", "SHA-256")


def origin(command: str, base_model: Path | None) -> Iterator[tuple[str, str]]:
    """Yield name and value of the facts in ESPnet's *Environments* block, and of ours.

    Args:
        command: command line of the report.
        base_model: directory whose weight files are hashed, if known.
    """
    yield "date", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    yield "python version", platform.python_version()
    for package in PACKAGES:
        yield f"{package} version", _version(package)
    yield "Git hash", _git("describe", "--always", "--dirty", "--abbrev=40")
    yield "Commit date", _git("log", "-1", "--format=%cI")
    yield "command", command
    files = weight_files(base_model) if base_model and is_hf(base_model) else []
    for file in files:
        yield "base model", str(file)
        yield "SHA-256", sha256(file)
    if not files:
        yield "base model", "no weight files found"


def origin_lines(facts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the facts in Markdown, like ESPnet's *Environments* block.

    >>> list(origin_lines([("Git hash", "4f23"), ("Commit date", "2026-11-21")]))
    ['- Git hash: `4f23`', '  - Commit date: `2026-11-21`']
    """
    for name, value in facts:
        yield f"{'  ' if name in DETAILS else ''}- {name}: `{value}`"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _git(*arguments: str) -> str:
    """Return what git says about this package's sources, or ``not under git``."""
    here = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "not under git"
    return done.stdout.strip()

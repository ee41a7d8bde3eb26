"""The origin of results: versions, commit, command and base model."""

import json
import platform
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from espnet_merge.checkpoint.hf import is_hf, weight_files
from espnet_merge.disk.digest import sha256
from espnet_merge.version import __version__

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
    for package, found in versions():
        yield f"{package} version", found
    yield "Git hash", commit()
    if date := _git("log", "-1", "--format=%cI"):
        yield "Commit date", date
    yield "command", command
    files = weight_files(base_model) if base_model and is_hf(base_model) else []
    for file in files:
        yield "base model", str(file)
        yield "SHA-256", sha256(file)
    if not files:
        yield "base model", "no weight files found"


def versions() -> Iterator[tuple[str, str]]:
    """Yield Python and the packages that results depend on, with their versions."""
    yield "python", platform.python_version()
    for package in PACKAGES:
        yield package, _version(package)


def commit() -> str:
    """Return the commit that the sources are of, or else the release of the package.

    pip notes the commit where it installs from a repository.
    """
    if found := _git("describe", "--always", "--dirty", "--abbrev=40"):
        return found
    with suppress(PackageNotFoundError):
        noted = distribution("espnet_merge").read_text("direct_url.json") or "{}"
        if found := json.loads(noted).get("vcs_info", {}).get("commit_id"):
            return str(found)
    return f"none, release {__version__}"


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
    """Return what git says about this package's sources, or "" where it has none.

    The environment may lie in a repository of another project, which tracks no file
    of this package.
    """
    here = Path(__file__)
    answer = ""
    for words in (["ls-files", "--error-unmatch", here.name], arguments):
        try:
            done = subprocess.run(
                ["git", *words],
                cwd=here.parent,
                capture_output=True,
                text=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            return ""
        answer = done.stdout.strip()
    return answer

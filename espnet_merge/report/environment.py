"""Where results come from: versions, commit, command and base model."""

import hashlib
import platform
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("espnet_merge", "espnet", "torch", "transformers", "peft", "jiwer")


def describe(command: str, base_model: Path | None) -> Iterator[str]:
    """Yield the lines of ESPnet's *Environments* block, and our additions.

    Args:
        command: as it was called.
        base_model: directory whose weight files are hashed, if known.
    """
    yield f"- date: `{datetime.now(UTC):%Y-%m-%d %H:%M} UTC`"
    yield f"- python version: `{platform.python_version()}`"
    for package in PACKAGES:
        yield f"- {package} version: `{_version(package)}`"
    yield f"- Git hash: `{_git('describe', '--always', '--dirty', '--abbrev=40')}`"
    yield f"  - Commit date: `{_git('log', '-1', '--format=%cI')}`"
    yield f"- command: `{command}`"
    files = sorted(base_model.glob("*.safetensors")) if base_model else []
    for file in files:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        yield f"- base model: `{file}` SHA-256 `{digest}`"
    if not files:
        yield "- base model: no weight files found"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _git(*arguments: str) -> str:
    """Ask git about this package's sources, or say that they are not under git."""
    here = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "not under git"
    return done.stdout.strip()

"""The wheel and the sdist, and an environment that has the wheel and its core alone."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from email.message import Message
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def build(output: Path) -> tuple[Path, Path]:
    """Build the sdist, and the wheel of it; return both."""
    words = ("--no-build-isolation", "--offline", "--python", sys.executable)
    uv("build", *words, "--out-dir", str(output), str(ROOT))
    (sdist,), (wheel,) = output.glob("*.tar.gz"), output.glob("*.whl")
    return sdist, wheel


def metadata_of(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return HeaderParser().parsestr(archive.read(name).decode())


def required(requirements: Iterable[str], extra: str = "") -> list[Requirement]:
    """Return those that hold here and with the extra."""
    found = map(Requirement, requirements)
    return [r for r in found if not r.marker or r.marker.evaluate({"extra": extra})]


def closure(requirements: Iterable[Requirement]) -> set[str]:
    """Return the packages that pip would install for these."""
    open_ones, known = list(requirements), set()
    while open_ones:
        one = open_ones.pop()
        for extra in ("", *one.extras):
            key = canonicalize_name(one.name), extra
            if key not in known:
                known.add(key)
                open_ones += required(metadata.requires(one.name) or [], extra)
    return {name for name, _ in known}


class Environment:
    """A virtual environment of the wheel and of what it requires, without extras.

    Packages are links to those that run the tests, so that nothing is downloaded.
    """

    def __init__(self, root: Path, wheel: Path) -> None:
        self.python = root / "bin" / "python"
        self.command = root / "bin" / "espnet-merge"
        words = [sys.executable, "-m", "venv", "--without-pip", root]
        subprocess.run(words, check=True)
        target = ("--python", str(self.python))
        uv("pip", "install", "--quiet", "--no-deps", "--offline", *target, str(wheel))
        (site,) = root.glob("lib/python*/site-packages")
        core = required(metadata_of(wheel).get_all("Requires-Dist"))
        for name in closure(core):
            files = metadata.files(name) or []
            for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
                if not (site / top).exists():
                    (site / top).symlink_to(
                        metadata.distribution(name).locate_file(top)
                    )

    def run(
        self, *words: object, cwd: Path, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command there, knowing nothing of this checkout."""
        # BLAS may be told for which CPU it computes, which changes the last bit.
        kept = re.compile("PATH|HOME|(OPENBLAS|MKL)_.*")
        own = {n: value for n, value in os.environ.items() if kept.fullmatch(n)}
        return subprocess.run(
            list(map(str, words)),
            cwd=cwd,
            env={**own, "OMP_NUM_THREADS": "1", **env},
            capture_output=True,
            text=True,
            check=False,
        )


def uv(*words: str) -> None:
    # Its own index and cache are not asked.
    command = [Path(sys.executable).with_name("uv"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

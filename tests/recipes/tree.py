"""A recipe of the repository in a tree of its own, which borrows the shared parts."""

import contextlib
import io
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).parents[2]


class Tree:
    """A copy of ``egs2/<name>/merge1``: what it makes stays out of the repository."""

    def __init__(self, root: Path, name: str) -> None:
        for shared in ("local", "conf", "tools", ".venv", "espnet_merge"):
            source = Path(sys.prefix) if shared == ".venv" else ROOT / shared
            (root / shared).symlink_to(source)
        (root / "egs2").mkdir()
        for other in (ROOT / "egs2").iterdir():  # the template, and what may be linked
            if other.name != name:
                (root / "egs2" / other.name).symlink_to(other)
        self.recipe = root / "egs2" / name / "merge1"
        made = shutil.ignore_patterns("data", "dump", "exp", "downloads")
        source = ROOT / "egs2" / name / "merge1"
        shutil.copytree(source, self.recipe, symlinks=True, ignore=made)
        self.data = self.recipe / "data"

    def run(
        self, script: str, env: dict[str, str] | None = None, **options: object
    ) -> subprocess.CompletedProcess[str]:
        words = [str(self.recipe / script)]
        for option, value in options.items():
            words += [f"--{option}", str(value)]
        return subprocess.run(
            words,
            cwd=self.recipe,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
        )

    def prepare(
        self, name: str, **options: str | int | list[str]
    ) -> subprocess.CompletedProcess[str]:
        """Do what ``local/data.sh`` does with these options, in this process.

        Args:
            name: of the script that it calls, ``local/corpora/prepare_NAME.py``.
            options: of that.
        """
        folder = ROOT / "local" / "corpora"
        words = [str(folder / f"prepare_{name}.py")]
        for option, value in options.items():
            words += [
                f"--{option}",
                *map(str, value if list is type(value) else [value]),
            ]
        errors, status = io.StringIO(), 0
        path = [str(folder), *sys.path]
        with (
            contextlib.chdir(self.recipe),
            contextlib.redirect_stderr(errors),
            patch.object(sys, "argv", words),
            patch.object(sys, "path", path),
        ):
            try:
                runpy.run_path(words[0], run_name="__main__")
            except SystemExit as end:
                status = end.code
        return subprocess.CompletedProcess(words, status, "", errors.getvalue())

    def files(self) -> dict[str, int]:
        """Everything that was made: name -> time of the last change."""
        made = [f for d in ("data", "downloads") for f in (self.recipe / d).rglob("*")]
        return {
            str(file.relative_to(self.recipe)): file.stat().st_mtime_ns
            for file in made
            if file.is_file()
        }

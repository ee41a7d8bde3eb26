"""Where a commit is found; tests/packaging asks in a repository of another project."""

import json
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from espnet_merge.report import environment
from espnet_merge.version import __version__

FILE = Path("espnet_merge", "report", "environment.py")


def git(directory, *words):
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    done = subprocess.run(
        ["git", *who, *words],
        cwd=directory,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """One that has a file of this name, which is not committed yet."""
    file = tmp_path / FILE
    file.parent.mkdir(parents=True)
    file.touch()
    monkeypatch.setattr(environment, "__file__", str(file))
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "theirs")
    return tmp_path


def noted(monkeypatch, note):
    class Distribution:
        def read_text(self, name):
            return note if name == "direct_url.json" else None

    monkeypatch.setattr(environment, "distribution", lambda _: Distribution())


def test_the_commit_is_that_of_the_repository_that_tracks_the_sources(repository):
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "ours")
    head = git(repository, "rev-parse", "HEAD")
    assert environment.commit() == head
    (repository / FILE).write_text("# changed")
    assert environment.commit() == f"{head}-dirty"
    assert dict(environment.origin("x", None))["Commit date"][:2] == "20"


def test_another_repository_is_not_asked(repository, monkeypatch):
    noted(monkeypatch, None)
    assert environment.commit() == f"none, release {__version__}"
    assert "Commit date" not in dict(environment.origin("x", None))
    noted(monkeypatch, json.dumps({"url": "x", "dir_info": {"editable": True}}))
    assert environment.commit() == f"none, release {__version__}"


def test_pip_notes_the_commit_of_a_repository(repository, monkeypatch):
    vcs = {"vcs": "git", "commit_id": "4f23"}
    noted(monkeypatch, json.dumps({"url": "git+file:///x", "vcs_info": vcs}))
    assert environment.commit() == "4f23"


def test_sources_that_are_not_installed(repository, monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(environment, "distribution", missing)
    assert environment.commit() == f"none, release {__version__}"

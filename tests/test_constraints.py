"""The lock holds what pyproject.toml asks for, and nothing of where it was made."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
LOCK = dict(line.split("==") for line in LINES)
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def asked_for():
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"].values()
    texts = (*project["dependencies"], *PYPROJECT["build-system"]["requires"])
    all_texts = (*texts, *(text for extra in extras for text in extra))
    requirements = map(Requirement, all_texts)
    return [r for r in requirements if r.name != project["name"]]


def test_a_line_is_a_package_and_its_release():
    # So there is no host, no path, and no condition that a fork of versions would need.
    assert [x for x in LINES if not re.fullmatch(r"[a-z0-9-]+==[0-9][\w.]*", x)] == []
    assert len(LOCK) == len(LINES) > 100


def test_what_is_asked_for_is_locked_within_its_range():
    remedy = "run make lock"
    for requirement in asked_for():
        release = LOCK.get(canonicalize_name(requirement.name))
        assert release, f"{requirement.name} is not locked: {remedy}"
        assert release in requirement.specifier, (
            f"{requirement} has {release}: {remedy}"
        )

"""A package of an extra that is missing is told in a line; all else stays an error."""

import ast
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import espnet_merge as em
from espnet_merge import extras
from espnet_merge.errors import InputError
from espnet_merge.extras import PACKAGES, extra_of, named_extra

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DECODE = {"numpy", "torch", "soundfile"}
EXTRAS = {"decode": DECODE, "search": {*DECODE, "optuna"}, "score": {"soundfile"}}


@pytest.fixture(autouse=True)
def some_extras(monkeypatch):
    monkeypatch.setattr(extras, "extras", lambda: EXTRAS)


@pytest.mark.parametrize(
    ("module", "first", "extra"),
    [
        ("torch", "", "decode"),
        ("torch", "search", "search"),
        ("torch", "score", "decode"),
        ("soundfile", "decode", "decode"),
        ("soundfile", "merge", "score"),
        ("optuna", "learn", "search"),
        ("tensorflow", "decode", None),
    ],
)
def test_the_extra_of_the_command_or_the_smallest(module, first, extra):
    assert extra_of(module, first=first) == extra


def test_what_no_extra_brings_is_a_fault():
    for module in ("tensorflow", "espnet_merge.nothing"):
        with pytest.raises(ModuleNotFoundError), named_extra("decode"):
            raise ModuleNotFoundError(name=module)
    with (
        pytest.raises(
            InputError, match=r"^optuna is needed for this .*merge\[search\]"
        ),
        named_extra("learn"),
    ):
        raise ModuleNotFoundError(name="optuna.samplers")


def test_a_function_tells_it_as_its_command_does(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "espnet_merge.whisper.fetch", None)
    monkeypatch.setitem(EXTRAS, "hub", {"espnet-merge"})
    with pytest.raises(em.InputError, match=r"'espnet_merge\[hub\]'"):
        em.fetch(source="base", output=tmp_path / "base")


def declared():
    """Package -> extras of pyproject.toml that list it themselves, "" for the core."""
    found = {}
    groups = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
    for extra, requirements in groups.items():
        for name in {canonicalize_name(Requirement(r).name) for r in requirements}:
            found.setdefault(name, set()).add(extra)
    return found


def imported():
    """Packages of others that the package imports, in functions too."""
    for file in (ROOT / "espnet_merge").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            else:
                continue
            for name in names:
                top = name.partition(".")[0]
                if top not in {*sys.stdlib_module_names, "espnet_merge"}:
                    yield canonicalize_name(
                        {"yaml": "pyyaml"}.get(top, PACKAGES.get(top, top))
                    )


def test_every_import_is_of_a_package_that_is_declared_once():
    found = declared()
    # It comes with transformers.
    assert set(imported()) - set(found) == {"tokenizers"}
    shared = {name for name, groups in found.items() if len(groups - {"dev"}) > 1}
    assert shared == {canonicalize_name(PROJECT["name"])}

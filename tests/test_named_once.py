"""What several files must agree on is stated in one of them."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from espnet_merge import files, speech

ROOT = Path(__file__).parents[1]
SOURCES = [
    *sorted((ROOT / "espnet_merge").rglob("*.py")),
    *sorted((ROOT / "egs2").rglob("*.py")),
    *sorted((ROOT / "local").rglob("*.py")),
    *sorted((ROOT / "docs").glob("*.py")),
]
NAMED = [value for name, value in vars(files).items() if name.isupper()]
# A table of Kaldi's or a file, alone or at the end of a path.
FILE = re.compile(r"(?:.*/)?(utt2\w+|[\w.-]+\.(?:json|yaml|scp|txt|safetensors|html))")


def literals(source: Path) -> Iterator[object]:
    """Yield the constants of a file, docstrings left out."""
    tree = ast.parse(source.read_text("utf-8"))
    docstrings = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        for part in ast.iter_child_nodes(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            yield node.value


STATED = defaultdict(list)
for source in SOURCES:
    for literal in literals(source):
        whole = isinstance(literal, str) and FILE.fullmatch(literal)
        STATED[whole[1] if whole else literal].append(source)


@pytest.mark.parametrize("value", [*NAMED, *speech.TASKS, speech.SAMPLE_RATE], ids=str)
def test_stated_once(value):
    names = [str(path.relative_to(ROOT)) for path in STATED[value]]
    home = "files" if value in NAMED else "speech"
    assert names == [f"espnet_merge/{home}.py"]


def test_files_that_rooms_share_are_named_in_one_place():
    rooms = {
        literal: {path.relative_to(ROOT).parts[1] for path in paths}
        for literal, paths in STATED.items()
        if isinstance(literal, str) and FILE.fullmatch(literal)
    }
    assert {name: where for name, where in rooms.items() if len(where) > 1} == {}


def test_languages_are_listed_once():
    lists = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if any(
            isinstance(literal, str) and {"lt", "ml", "yue"} <= set(literal.split())
            for literal in literals(path)
        )
        or "tokenization_whisper" in path.read_text("utf-8")
    ]
    assert lists == ["espnet_merge/speech.py"]

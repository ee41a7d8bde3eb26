"""No file and no function is longer than can be read in one go."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = [
    path
    for folder in ("espnet_merge", "docs", "egs2", "local")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
FILE = 350  # lines
FUNCTION = 60


def test_files_are_short():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines())
        for path in SOURCES
    }
    assert {name for name, size in lengths.items() if size > FILE} == set()


def test_functions_are_short():
    lengths = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                name = f"{path.relative_to(ROOT)}: {node.name}"
                size = node.end_lineno - node.lineno + 1
                lengths[name] = max(size, lengths.get(name, 0))
    assert {name for name, size in lengths.items() if size > FUNCTION} == set()

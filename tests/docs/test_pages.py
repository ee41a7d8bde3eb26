"""What the pages say of files, functions and each other is there."""

import ast
import re
from pathlib import Path

import pytest

from espnet_merge.methods import Method

ROOT = Path(__file__).parents[2]
PAGES = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PACKAGE = ROOT / "espnet_merge"
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
LINK = re.compile(r"\]\(([^)#\s:]+)(?:#([\w-]+))?\)")
# A file in a code span, and names in it: `merging/loop.py: run, write`.
PLACE = re.compile(r"`([\w./]+/[\w.]+\.(?:py|sh|yaml))(?:: ([\w, ]+))?`")


def find(name: str) -> Path | None:
    places = (ROOT / name, PACKAGE / name, ROOT / "docs" / name)
    return next((place for place in places if place.is_file()), None)


def names_in(file: Path) -> set[str]:
    kinds = (ast.FunctionDef, ast.ClassDef)
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target, place in LINK.findall(page.read_text("utf-8")):
        file = page.parent / target
        assert file.exists(), target
        if place:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
            assert place in map(anchor, headings), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_are_there(page):
    text = page.read_text("utf-8")
    named = [name for name, _ in PLACE.findall(text) if not name.startswith("local/")]
    assert [name for name in named if find(name) is None] == []


def test_functions_of_the_walks_are_there():
    walks = [(file, names) for file, names in PLACE.findall(ARCHITECTURE) if names]
    assert len(walks) > 20
    for file, names in walks:
        known = names_in(find(file))
        assert [name for name in names.split(", ") if name not in known] == [], file


def test_each_walk_has_ten_steps():
    walks = re.findall(r"^## The way of .*?(?=^## )", ARCHITECTURE, re.M | re.S)
    steps = [re.findall(r"^(\d+)\. ", walk, re.M) for walk in walks]
    assert steps == [[str(number) for number in range(1, 11)]] * 3


def test_the_method_that_is_shown_merges():
    (code,) = re.findall(r"```python\n(.*?)```", ARCHITECTURE, re.S)
    names = {}
    exec(code, names)
    method = names["ScaledSum"](scale=0.5)
    assert isinstance(method, Method)
    assert method([2.0, 4.0]) == 3.0


def test_the_interface_that_is_shown_is_that_of_the_code():
    text = (ROOT / "docs" / "merging.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    shown = {}
    for node in ast.parse(code).body:
        shown |= {node.name: _members(node)}
    tree = ast.parse((PACKAGE / "methods" / "_base.py").read_text("utf-8"))
    own = {n.name: _members(n) for n in tree.body if isinstance(n, ast.ClassDef)}
    assert shown["Method"] == own["Method"]
    assert shown["TwoPass"] | {"__call__"} == own["TwoPass"]


def _members(node: ast.ClassDef) -> set[str]:
    members = set()
    for part in node.body:
        match part:
            case ast.AnnAssign(target=ast.Name(id=name)):
                members.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]):
                members.add(name)
            case ast.FunctionDef(name=name):
                members.add(name)
    return members

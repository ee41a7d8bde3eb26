"""Files outside ``docs`` as pages of the site, so that links to them lead somewhere.

A page of the site has an address: ``lora.md`` for ``docs/lora.md``, and below
``source`` for the rest of the project, ``source/egs2/prompts/merge1/EXPAND.md``.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCE = "source/"
LINK = re.compile(r"(\]\()([^)#\s:]+)((?:#[\w-]+)?\))")
CODE = {".py": "python", ".sh": "sh", ".yaml": "yaml", ".cff": "yaml"}
HIDDEN = "---\nsearch: {exclude: true}\n---\n"


def path_of(address: str) -> Path:
    """Return the file that a page shows."""
    own = address.startswith(SOURCE)
    return ROOT / address.removeprefix(SOURCE) if own else DOCS / address


def address_of(path: Path) -> str:
    """Return the address of the page or picture that shows a file."""
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    kept = path.suffix in (".md", ".png", ".svg")
    return f"{SOURCE}{path.relative_to(ROOT).as_posix()}{'' if kept else '.md'}"


def linked(address: str, markdown: str) -> Iterator[Path]:
    """Yield the files that a page links to and that are there."""
    for _, target, _ in LINK.findall(markdown):
        if (path := _resolved(address, target)).is_file():
            yield path


def with_addresses(address: str, markdown: str) -> str:
    """Return a page whose links to files are links to the pages that show them."""
    start = os.path.dirname(address)

    def replaced(found: re.Match[str]) -> str:
        path = _resolved(address, found[2])
        if not path.is_file():
            return found[0]
        return f"{found[1]}{os.path.relpath(address_of(path), start)}{found[3]}"

    return LINK.sub(replaced, markdown)


def _resolved(address: str, target: str) -> Path:
    return Path(os.path.normpath(path_of(address).parent / target))


def reached(pages: Mapping[str, str]) -> set[Path]:
    """Return all files outside ``docs`` that pages lead to, be it by others.

    Args:
        pages: address -> text.
    """
    found: set[Path] = set()
    waiting = [path for page in pages.items() for path in linked(*page)]
    while waiting:
        path = waiting.pop()
        if path.is_relative_to(DOCS) or path in found:
            continue
        found.add(path)
        if path.suffix == ".md":
            waiting += linked(address_of(path), path.read_text("utf-8"))
    return found


def page(path: Path) -> str:
    """Return the page that shows a file: itself, or its text as code."""
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        return text
    name = path.relative_to(ROOT)
    return f"{HIDDEN}# {name}\n\n~~~~~{CODE.get(path.suffix, 'text')}\n{text}~~~~~\n"

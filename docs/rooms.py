"""Draw the rooms of the package, and list what each imports: ``python -m docs.rooms``.

Floors come from the contract in pyproject.toml, imports from the code itself, so that
neither picture nor table is untrue; a test asks for both to be current.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

import grimp

DOCS = Path(__file__).parent
PAGE = DOCS / "architecture.md"
PICTURE = DOCS / "images" / "rooms.svg"
PACKAGE = DOCS.parent / "espnet_merge"
# Floors whose rooms everybody may need: an arrow to each would hide the others.
GROUND = 3

# Where a room is drawn, in boxes from the left, and what is in it.
PLACES = {
    "bin": (2.6, "a command a file"),
    "advice": (2.6, "what to do at all"),
    "search": (2.1, "dev data, Optuna"),
    "alignment": (0.6, "word timestamps"),
    "statistics": (0.15, "Fisher, Gram"),
    "export": (1.65, "for other runtimes"),
    "preflight": (3.15, "before the queue"),
    "listening": (4.65, "a page that hears"),
    "tasks": (1.15, "ESPnet's trainer"),
    "decode": (0.15, "audio to text"),
    "report": (2.65, "tables, pictures"),
    "merging": (3.65, "the engine"),
    "objectives": (1.2, "MoDo, BEST-RQ"),
    "lora": (0.15, "adapters"),
    "score": (2.15, "WER, CER, tests"),
    "methods": (4.0, "a paper a file"),
    "inspection": (5.1, "before a merge"),
    "whisper": (0.1, "prompt, network"),
    "corpora": (1.6, "any format in"),
    "data": (0.05, "Kaldi directories"),
    "linalg": (4.5, "SVD, eigh"),
    "card": (2.3, "model cards, push"),
    "installation": (1.2, "is all there?"),
    "checkpoint": (3.0, "weights by name"),
    "__main__": (5.1, "finds the command"),
    "cluster": (1.9, "SLURM's client"),
    "recipe": (0.8, "a new one"),
    "disk": (0, "all or nothing"),
    "kernels": (1.02, "loops by numba"),
    "workers": (2.04, "ordered threads"),
    "job_array": (3.06, "part i of n"),
    "speech": (4.08, "languages, tasks"),
    "options": (5.1, "declared once"),
    "extras": (5.1, "what is missing"),
    "errors": (0, "one line each"),
    "version": (1.02, "one number"),
    "files": (2.04, "shared names"),
    "arrays": (3.06, "NumPy's, torch's"),
    "html": (4.08, "tables"),
}
LEFT, TOP = 34, 8
BOX, HEIGHT, STEP, FLOOR = 128, 42, 140, 82
ROW = re.compile(r"^\| \d+ \| (.+?) \| (.+?) \|", re.MULTILINE)
HEADER = "| floor | room | what is in it | imports | and of other packages |"
STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1f2328; text-anchor: middle }
.what { font-size: 11.5px; fill: #57606a }
.number { font-size: 12px; fill: #57606a }
rect { fill: #eaf2fb; stroke: #5b86b5; stroke-width: 1.2 }
.ground { fill: #f1f0ec; stroke: #8c8778 }
path { fill: none; stroke: #5c6670; stroke-width: 1.3 }
marker path { fill: #5c6670; stroke: none }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .what, .number { fill: #9da7b1 }
  rect { fill: #17293d; stroke: #6c9bd0 }
  .ground { fill: #26251f; stroke: #8f8a78 }
  path { stroke: #9aa4ae }
  marker path { fill: #9aa4ae }
}
"""


class Imports(NamedTuple):
    """What each room imports, in functions, too.

    rooms: room -> other rooms.
    packages: room -> packages of others, Python's own left out.
    """

    rooms: dict[str, set[str]]
    packages: dict[str, set[str]]


def main() -> None:
    """Write the picture, and the table into the page."""
    PICTURE.write_text(picture(), encoding="utf-8")
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), encoding="utf-8")


def floors() -> list[list[str]]:
    """Return the rooms of each floor, from the ground up."""
    content = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))
    contracts = content["tool"]["importlinter"]["contracts"]
    (layers,) = (c["layers"] for c in contracts if c["type"] == "layers")
    return [layer.split(" | ") for layer in reversed(layers)]


def imports() -> Imports:
    """Read the imports from the code."""
    graph = grimp.build_graph(
        PACKAGE.name, include_external_packages=True, cache_dir=None
    )
    rooms: dict[str, set[str]] = {room: set() for floor in floors() for room in floor}
    packages: dict[str, set[str]] = {room: set() for room in rooms}
    for module in graph.modules:
        own, room = _split(module)
        if own != PACKAGE.name or not room:
            continue
        for imported in graph.find_modules_directly_imported_by(module):
            package, other = _split(imported)
            if package != PACKAGE.name:
                packages[room] |= {package} - sys.stdlib_module_names
            elif other and other != room:
                rooms[room].add(other)
    return Imports(rooms, packages)


def _split(module: str) -> tuple[str, str]:
    package, _, rest = module.partition(".")
    return package, rest.partition(".")[0]


def arrows(rooms: dict[str, set[str]]) -> list[tuple[str, str]]:
    """Return importer and imported, without the ground and what follows from others."""
    ground = {room for floor in floors()[:GROUND] for room in floor}
    above = {room: found - ground for room, found in rooms.items()}
    return [
        (room, other)
        for room, found in above.items()
        for other in sorted(found)
        if not any(other in reached(above, step) for step in found - {other})
    ]


def reached(rooms: dict[str, set[str]], start: str) -> set[str]:
    """Return all rooms that ``start`` imports, be it by others."""
    return rooms[start].union(*(reached(rooms, room) for room in rooms[start]))


def picture() -> str:
    """Return the SVG of the rooms, floor upon floor."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    levels = floors()
    width = LEFT + STEP * max(x for x, _ in PLACES.values()) + BOX + 6
    height = TOP + FLOOR * len(levels) - (FLOOR - HEIGHT) + 8
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
        f'width="{width:.0f}" height="{height}" role="img" '
        'aria-label="Rooms of the package and their imports">'
    )
    yield f"<style>{STYLE}</style>"
    yield (
        '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker>'
    )
    tops = {
        room: TOP + FLOOR * (len(levels) - number)
        for number, floor in enumerate(levels, 1)
        for room in floor
    }
    yield from _arrows(arrows(imports().rooms), tops)
    for number, floor in enumerate(levels, 1):
        y = tops[floor[0]] + HEIGHT / 2
        yield f'<text class="number" x="14" y="{y + 4:.0f}">{number}</text>'
        for room in floor:
            yield from _box(room, tops[room], ground=number <= GROUND)
    yield "</svg>"


def _box(room: str, top: float, *, ground: bool) -> Iterator[str]:
    middle = _middle(room)
    kind = ' class="ground"' if ground else ""
    yield (
        f'<rect{kind} x="{middle - BOX / 2:.0f}" y="{top}" width="{BOX}" '
        f'height="{HEIGHT}" rx="6"/>'
    )
    yield f'<text x="{middle:.0f}" y="{top + 18}">{room}</text>'
    what = escape(PLACES[room][1])
    yield f'<text class="what" x="{middle:.0f}" y="{top + 34}">{what}</text>'


def _middle(room: str) -> float:
    return LEFT + PLACES[room][0] * STEP + BOX / 2


def _arrows(pairs: Iterable[tuple[str, str]], tops: dict[str, float]) -> Iterator[str]:
    """Yield the arrows; those at one box begin and end side by side."""
    pairs = list(pairs)
    leaving, arriving = _ports(pairs), _ports((b, a) for a, b in pairs)
    for one, other in pairs:
        x, y = leaving[one, other], tops[one] + HEIGHT
        to_x, to_y = arriving[other, one], tops[other]
        bend = (to_y - y) * 0.4
        yield (
            f'<path marker-end="url(#head)" d="M{x:.0f} {y}C{x:.0f} {y + bend:.0f} '
            f'{to_x:.0f} {to_y - bend:.0f} {to_x:.0f} {to_y}"/>'
        )


def _ports(pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], float]:
    others: dict[str, list[str]] = {}
    for one, other in pairs:
        others.setdefault(one, []).append(other)
    places = {}
    for one, found in others.items():
        for number, other in enumerate(sorted(found, key=_middle)):
            shift = (number - (len(found) - 1) / 2) * min(18, BOX / len(found))
            places[one, other] = _middle(one) + shift
    return places


def with_table(page: str) -> str:
    """Return the page with the table made anew; the words on each room stay."""
    words = {room.strip("`"): what for room, what in ROW.findall(page)}
    before, _, rest = page.partition(HEADER)
    after = rest[rest.index("\n\n") :]
    return "\n".join([before + HEADER, *_rows(words)]) + after


def _rows(words: dict[str, str]) -> Iterator[str]:
    levels, found = floors(), imports()
    ground = {room for floor in levels[:GROUND] for room in floor}
    yield "|---|---|---|---|---|"
    for number, floor in reversed(list(enumerate(levels, 1))):
        for room in floor:
            path = name_of(room)
            rooms = sorted(found.rooms[room] - (ground if number > GROUND else set()))
            packages = sorted(found.packages[room])
            yield (
                f"| {number} | `{path}` | {words.get(path, '…')} "
                f"| {_named(rooms)} | {_named(packages)} |"
            )


def _named(names: list[str]) -> str:
    """Return names as Markdown shows them as they are."""
    return ", ".join(names).replace("__", r"\_\_") or "–"


def name_of(room: str) -> str:
    """Return a room as a reader looks for it: a directory, or a file."""
    return f"{room}/" if (PACKAGE / room).is_dir() else f"{room}.py"


if __name__ == "__main__":
    main()

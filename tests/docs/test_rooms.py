"""The picture and the table of rooms, against contracts, code and disk."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from docs import rooms

IMPORTS = rooms.imports()
FLOOR = {
    room: number for number, floor in enumerate(rooms.floors(), 1) for room in floor
}
PAGE = rooms.PAGE.read_text("utf-8")
SVG = rooms.PICTURE.read_text("utf-8")
ROWS = re.findall(r"^\| (\d+) \| `(.+?)` \| (.+?) \| (.+?) \| ", PAGE, re.MULTILINE)


def unescaped(markdown):
    return markdown.replace("\\", "")


def test_picture_and_table_are_current():
    assert rooms.picture() == SVG, "run 'make docs'"
    assert rooms.with_table(PAGE) == PAGE, "run 'make docs'"


def test_every_room_has_a_floor_a_place_and_words():
    there = {
        path.stem
        for path in rooms.PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert FLOOR.keys() == there - {"__init__"}
    assert rooms.PLACES.keys() == FLOOR.keys()
    assert [name for _, name, *_ in ROWS] == [
        rooms.name_of(room) for floor in rooms.floors()[::-1] for room in floor
    ]
    assert [name for _, name, words, _ in ROWS if words == "…"] == []


def test_table_says_what_the_contracts_and_the_code_say():
    for number, name, _, imported in ROWS:
        room = re.sub(r"/$|\.py$", "", name)
        assert int(number) == FLOOR[room]
        told = set() if imported == "–" else set(unescaped(imported).split(", "))
        above = {r for r in IMPORTS.rooms[room] if FLOOR[r] > rooms.GROUND}
        assert told == (above if FLOOR[room] > rooms.GROUND else IMPORTS.rooms[room])


def test_no_import_runs_up():
    for room, imported in IMPORTS.rooms.items():
        assert all(FLOOR[other] < FLOOR[room] for other in imported), room


def test_arrows_say_all_that_is_imported_above_the_ground():
    drawn = rooms.arrows(IMPORTS.rooms)
    reduced = {room: {b for a, b in drawn if a == room} for room in FLOOR}
    for room, imported in IMPORTS.rooms.items():
        above = {other for other in imported if FLOOR[other] > rooms.GROUND}
        assert above <= rooms.reached(reduced, room), room
    assert all(other in IMPORTS.rooms[room] for room, other in drawn)


def test_what_follows_from_others_is_not_drawn(monkeypatch):
    monkeypatch.setattr(rooms, "floors", lambda: [*"fedcba"])
    found = {
        "a": {"b", "c", "e"},
        "b": {"c", "d"},
        "c": {"d"},
        "d": {"e"},
        "e": {"f"},
        "f": set(),
    }
    assert rooms.arrows(found) == [("a", "b"), ("b", "c")]


def test_picture_shows_every_room_and_arrow():
    tree = ElementTree.fromstring(SVG)
    texts = [node.text for node in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert set(FLOOR) <= set(texts)
    assert SVG.count("marker-end") == len(rooms.arrows(IMPORTS.rooms))
    assert "prefers-color-scheme: dark" in SVG


@pytest.mark.parametrize("floor", rooms.floors(), ids=" ".join)
def test_boxes_of_a_floor_do_not_overlap(floor):
    places = sorted(rooms.PLACES[room][0] * rooms.STEP for room in floor)
    gaps = [b - a for a, b in pairwise(places)]
    assert all(gap > rooms.BOX for gap in gaps)


def test_the_package_imports_nothing_that_is_not_installed_with_it():
    outside = {"benchmarks", "docs", "egs2", "tests"}
    assert outside & set().union(*IMPORTS.packages.values()) == set()

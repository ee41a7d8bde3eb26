import inspect
import re
from dataclasses import fields

import numpy as np
import pytest
import yaml

from docs import toy
from docs.generate import DOCS, FOLDER, IMAGES, SHOWN, pages
from espnet_merge.methods import METHODS

PAGES = pages()


def test_committed_pages_are_current():
    assert {path.name for path in FOLDER.glob("*.md")} == PAGES.keys()
    stale = [n for n, t in PAGES.items() if (FOLDER / n).read_text("utf-8") != t]
    assert stale == [], "run 'make docs'"


def test_every_picture_is_there_and_shown():
    shown = set(re.findall(r"\(images/(\w+\.png)\)", "".join(PAGES.values())))
    assert shown == {path.name for path in IMAGES.iterdir()}
    assert shown == {f"{name}.png" for name in METHODS if toy.has_picture(name)}


def test_every_method_says_when_to_use_it():
    text = (DOCS / "when_to_use.yaml").read_text("utf-8")
    assert SHOWN.keys() == yaml.safe_load(text).keys()


@pytest.mark.parametrize("name", SHOWN)
def test_page_holds_all_that_the_docstring_says(name):
    page = PAGES[f"{name}.md"]
    headings = re.findall("^## (.*)$", page, re.MULTILINE)
    assert headings == [
        *("When to use it", "Formula", "Source", "Departures", "Arguments", "Errors"),
        "Example",
    ]
    rows = re.findall(r"^\| `(\w+)` \| `.+` \| .+ \|$", page, re.MULTILINE)
    assert sorted(rows) == sorted(field.name for field in fields(SHOWN[name]))
    docstring = inspect.cleandoc(SHOWN[name].__doc__)
    for kept in re.findall(r"https://[\w./]+|>>> .*", docstring):
        assert kept in page
    assert page.count("```math") == docstring.count(".. math::")
    assert ":math:" not in page
    assert page.count("```") % 2 == 0


def test_soup_of_the_toy_is_its_mean():
    one, two = toy.task_vectors()
    np.testing.assert_allclose(toy.merged("soup"), (one + two) / 2, atol=1e-12)


def test_every_toy_is_merged_to_something():
    # Not the base, nor beyond what the four panels can show at all.
    for name in filter(toy.has_picture, METHODS):
        assert 0.05 < abs(toy.merged(name)).max() < 4 * toy.REACH, name


def test_pictures_have_one_layout():
    sizes = set()
    for name in ("soup", "tsv_m"):
        figure = toy.draw(name)
        sizes.add(tuple(figure.get_size_inches()))
        titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
        assert titles == [
            *("expert 1", "expert 2", "their mean"),
            *(name, "singular values"),
        ]
    assert len(sizes) == 1

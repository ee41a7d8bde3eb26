import re
from xml.etree import ElementTree

import pytest

from docs.site.formulas import FONT, TEX, draw, hold
from tests.docs.site.conftest import ROOT

PAGES = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "methods").glob("*.md")]


@pytest.mark.parametrize(
    "text",
    ["`$x$`", "```sh\necho $HOME $PATH\n```\n", "it costs 3$ or 4$.", "a $20 and $30"],
)
def test_what_is_no_formula_stays(text):
    assert hold(text) == text


def test_a_formula_waits_and_is_drawn():
    held = hold("| $`a_i \\| b`$ | c |")
    assert held.count("|") == 3  # so that a table has its two cells
    tree = ElementTree.fromstring(f"<p>{draw(held)}</p>")
    assert "".join(tree.itertext()).split() == ["|", "ai‖b", "|", "c", "|"]


def test_a_block_is_drawn_as_one():
    html = draw(hold("```math\n\\frac{1}{2}\n```\n"))
    (found,) = re.findall('display="(.*?)"', html)
    assert found == "block"
    assert "mfrac" in html


def test_every_formula_is_understood():
    for page in PAGES:
        text = page.read_text("utf-8")
        for formula in TEX.finditer(text):
            if (drawn := draw(hold(formula[0]))) != formula[0]:
                assert "\\" not in re.sub("<.*?>", "", drawn), formula[0]


def test_the_font_tells_where_an_index_stands():
    assert b"MATH" in FONT.read_bytes()[:1000]  # its table of tables

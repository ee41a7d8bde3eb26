import re

import pytest
import yaml

from docs.generate import SHOWN
from docs.site.measured import PAPERS, configuration, section, tables
from tests.docs.site.conftest import ROOT

RECIPES = ROOT / "egs2"


def rows(text):
    found = re.findall(r"^\| \**`?([\w]+)`?\** \| (.*) \|$", text, re.MULTILINE)
    return {name: cells.split(" | ") for name, cells in found}


@pytest.mark.parametrize(
    ("page", "results"),
    [
        ("domains/merge1/DOMAINS.md", "english"),
        ("domains/merge1/LANGUAGES.md", "languages"),
        ("prompts/merge1/OBJECTIVES.md", "objectives"),
    ],
)
def test_numbers_are_those_of_the_committed_table(page, results):
    text = (RECIPES / page).read_text("utf-8").partition("## The table")[2]
    committed = rows(text.partition("Language identified")[0])
    (part,) = (x for x in section("tsv_m").split("\n\nHere: ") if f"`{results}`" in x)
    measured = rows(part.partition("\nIn ")[0])
    for system in ("zero_shot", "joint", "tsv_m", "tsv_m_svc"):
        *means, seeds = measured[system]
        # The last column says how it was decoded.
        shown = [x.strip("*") for x in committed[system][-1 - len(means) : -1]]
        assert means == [x.split(" ±")[0] for x in shown]
        assert ("±" in shown[0]) == (seeds != "1")


def test_a_step_has_what_was_merged_before_it():
    assert {"tsv_m_svc", "task_arithmetic_svc"} <= rows(section("svc")).keys()
    assert "tsv_m_svc" in rows(section("tsv_m"))
    assert "`tsv_m`" not in section("svc")


def test_every_merge_of_a_table_is_of_a_method_that_has_a_page():
    for table in tables():
        for system in table.systems.plan.merges:
            assert configuration(table.recipe, system)["method"] in SHOWN


def test_what_was_not_measured_says_so():
    assert section("della") == (
        "## What was measured\n\nNothing yet in this repository.\n"
    )


@pytest.mark.parametrize("paper", yaml.safe_load(PAPERS.read_text("utf-8")))
def test_numbers_of_papers_are_complete(paper):
    assert {len(x) for x in paper["systems"].values()} == {len(paper["columns"])}
    assert set(paper["methods"].values()) <= paper["systems"].keys()
    assert paper["methods"].keys() <= SHOWN.keys()
    assert re.search(r"https://arxiv.org/abs/\d", paper["paper"])


def test_numbers_of_a_paper_stand_on_the_page():
    text = section("karcher")
    assert "| **Karcher** | 10.23 | 17.63 | 12.70 | 7.12 | 7.43 |" in text
    assert "BoostedTSV-M" not in text

"""The pages of tables hold what the files of their seeds give today."""

import re
import subprocess
import sys

import pytest

from tests.docs.commands import ROOT

# Page, folder of its seeds, further options.
PAGES = [
    ("domains/merge1/DOMAINS.md", "english", ()),
    ("domains/merge1/LANGUAGES.md", "languages", ()),
    ("prompts/merge1/EXPAND.md", "expand", ()),
    ("prompts/merge1/OBJECTIVES.md", "objectives", ("--baseline", "joint")),
]


@pytest.mark.parametrize(("page", "results", "options"), PAGES)
def test_tables_are_those_of_the_seeds(page, results, options):
    place = ROOT / "egs2" / page
    recipe = place.parent
    files = sorted(recipe.glob(f"results/{results}/seed_*.json"))
    # As a command: here, where each call of a function is checked, it takes minutes.
    run = [sys.executable, "-m", "espnet_merge", "seeds", "--load"]
    run += [*(str(file.relative_to(recipe)) for file in files), *options]
    made = subprocess.run(run, cwd=recipe, check=True, capture_output=True, text=True)
    assert made.stdout.strip() in place.read_text("utf-8")


def test_numbers_of_objective_soups_are_those_of_their_table():
    table = (ROOT / "egs2/prompts/merge1/OBJECTIVES.md").read_text("utf-8")
    rows = [line.strip("|").split("|") for line in table.splitlines()]
    heads = next(row for row in rows if row[0].strip() == "system")
    places = [heads.index(f" in-domain ({metric}) ") for metric in ("wer", "bleu")]
    page = (ROOT / "docs/objective_soups.md").read_text("utf-8")
    for name in ("static", "vs", "vc", "vm_uas", "vm_usa"):
        row = next(row for row in rows if row[0].strip() == name)
        wer, bleu = (re.sub(r" ±.*|[ *]", "", row[place]) for place in places)
        assert re.search(
            rf"`objectives_{name}`.*\| {wer}( WER)?, {bleu}( BLEU)? \|", page
        )

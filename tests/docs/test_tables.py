"""The pages of tables hold what the files of their seeds give today."""

import subprocess
import sys

import pytest

from tests.docs.commands import ROOT

PAGES = {
    "domains/merge1/DOMAINS.md": "english",
    "domains/merge1/LANGUAGES.md": "languages",
    "prompts/merge1/EXPAND.md": "expand",
}


@pytest.mark.parametrize(("page", "results"), PAGES.items())
def test_tables_are_those_of_the_seeds(page, results):
    place = ROOT / "egs2" / page
    recipe = place.parent
    files = sorted(recipe.glob(f"results/{results}/seed_*.json"))
    # As a command: here, where each call of a function is checked, it takes minutes.
    run = [sys.executable, "-m", "espnet_merge", "seeds", "--load"]
    run += [str(file.relative_to(recipe)) for file in files]
    made = subprocess.run(run, cwd=recipe, check=True, capture_output=True, text=True)
    assert made.stdout.strip() in place.read_text("utf-8")

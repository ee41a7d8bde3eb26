"""What was measured of a method: our tables over seeds, and numbers of papers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from docs.site.outside import DOCS, ROOT, address_of
from espnet_merge.files import README_MD
from espnet_merge.methods import STEPS
from espnet_merge.report.runs import Run, trained
from espnet_merge.report.seed_differences import SeedComparison
from espnet_merge.report.seed_files import load
from espnet_merge.report.seed_plan import SeedPlan

PAPERS = DOCS / "site" / "paper_numbers.yaml"


@dataclass(frozen=True)
class Table:
    """The seeds of one configuration of a recipe.

    Attributes:
        folder: that holds a file for each seed.
        systems: what was measured of each, and which are merges and baselines.
        seeds: number of them.
    """

    folder: Path
    systems: SeedComparison
    seeds: int

    @property
    def recipe(self) -> Path:
        """The directory of the recipe."""
        return self.folder.parents[1]

    @property
    def others(self) -> list[str]:
        """The base, and the best of the baselines."""
        return [x for x in (self.systems.plan.base, self.systems.baseline) if x]

    def rate(self, system: str, sets: Sequence[str]) -> float:
        """Return the mean over sets, and seeds, of a system's metric."""
        row = self.systems.runs[system]
        return fmean(fmean(run.value for run in row[name].values()) for name in sets)

    def a_run(self) -> Run:
        """Return one of the runs; all are of one normaliser."""
        row = next(iter(self.systems.runs.values()))
        return next(iter(next(iter(row.values())).values()))


@cache
def tables() -> list[Table]:
    """Return the tables of all recipes whose seeds are kept in the repository."""
    folders = sorted(ROOT.glob("egs2/*/merge1/results/*/"))
    return [_table(folder) for folder in folders]


def _table(folder: Path) -> Table:
    kept = load(sorted(folder.glob("*.json")))
    seeds = {seed for row in kept.runs.values() for own in row.values() for seed in own}
    compared = SeedComparison(kept.runs, SeedPlan.joined(kept.plans))
    return Table(folder, compared, len(seeds))


def section(method: str) -> str:
    """Return the part of a method's page on what was measured."""
    parts = [*_ours(method), *_papers(method)] or ["Nothing yet in this repository.\n"]
    return "\n".join(["## What was measured\n", *parts])


def _ours(method: str) -> Iterator[str]:
    for table in tables():
        merges = table.systems.plan.merges
        if own := [s for s in merges if _is_of(method, table.recipe, s)]:
            yield from _rows(table, own)


def _rows(table: Table, own: Sequence[str]) -> Iterator[str]:
    recipe = table.recipe.parent.name
    page = address_of(table.recipe / README_MD)
    plural = "s" if table.seeds > 1 else ""
    yield (
        f"Here: recipe [{recipe}](../{page}), `{table.folder.name}`, {table.seeds} seed"
        f"{plural}; error rates in percent, normaliser `{table.a_run().normalizer}`; "
        "no coefficient was searched.\n"
    )
    columns = table.systems.columns
    heads = [*(column.head for column in columns), "seeds"]
    yield f"| system | {' | '.join(heads)} |"
    yield f"|---|{'---:|' * len(heads)}"
    for system in [*table.others, *own]:
        rates = (f"{table.rate(system, column.sets):.1f}" for column in columns)
        name = f"**`{system}`**" if system in own else f"`{system}`"
        seeds = trained(table.systems.runs[system])
        yield f"| {name} | {' | '.join(rates)} | {seeds} |"
    yield ""


def _is_of(method: str, recipe: Path, system: str) -> bool:
    """Tell whether a system was merged by a method, or had the step after it."""
    asked = configuration(recipe, system)
    steps = (asked.get("params") or {}).get("calibrate")
    return method == (steps if method in STEPS else asked["method"])


def configuration(recipe: Path, system: str) -> Mapping[str, Any]:
    """Return what made a merge: a file of the recipe, or one that recipes share."""
    places = (folder / "conf" / "merge" / f"{system}.yaml" for folder in (recipe, ROOT))
    found = next(place for place in places if place.is_file())
    asked: dict[str, Any] = yaml.safe_load(found.read_text("utf-8"))
    return asked


def _papers(method: str) -> Iterator[str]:
    for one in yaml.safe_load(PAPERS.read_text("utf-8")):
        if own := one["methods"].get(method):
            yield f"In {one['paper']}: {one['of']}.\n"
            yield f"| system | {' | '.join(one['columns'])} |"
            yield f"|---|{'---:|' * len(one['columns'])}"
            for system, rates in one["systems"].items():
                if system == own or system not in one["methods"].values():
                    name = f"**{system}**" if system == own else system
                    yield f"| {name} | {' | '.join(f'{x:.2f}' for x in rates)} |"
            yield ""

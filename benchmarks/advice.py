#!/usr/bin/env python3
"""Check the rules of ``espnet-merge advise`` against tables of results.

    benchmarks/advice.py egs2/domains/merge1/results/*/seed_*.json

Files are of seeds of recipes, as ``espnet-merge seeds --save`` writes them; seed_0.json
and seed_0.lora.json of one directory are one seed. Rules get what a trial would have
found on its test sets: base, experts on their own sets, and the soup. Right is the
cheapest choice that is not significantly worse (95 % interval of the paired difference)
than the best of all. Where no router was tried, a route by language is each expert on
its own set, and a route by domain is no choice. Prints a row of docs/advise.md for each
seed.
``--quick tsv_m`` lets the rules see this merge in place of the soup, as ``advise
--method tsv_m`` does.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from espnet_merge.advice.facts import BASE, MERGED, OWN, Facts
from espnet_merge.advice.rules import decide
from espnet_merge.report.plan import ORACLE
from espnet_merge.report.runs import Runs
from espnet_merge.report.seed_files import load, seed_of
from espnet_merge.report.seed_plan import SeedPlan
from espnet_merge.score.sample import Counted, Rate, Sample

QUICK = "soup"
HEAD = (
    "table",
    "sets",
    "advised",
    "by rule",
    "error rate",
    "right",
    "error rate",
    "hit",
)
# The mean of a recipe over the sets that experts were trained for.
TRAINED = "in-domain"


class Checked(NamedTuple):
    """What rules say of a table, beside what is right by it."""

    table: str
    sets: int
    advised: str
    rule: str
    reached: Rate
    right: str
    best: Rate

    @property
    def hit(self) -> bool:
        return self.advised == self.right

    def row(self) -> list[str]:
        hit = "yes" if self.hit else "**no**"
        rates = str(self.reached), str(self.best)
        names = self.table, str(self.sets), self.advised, self.rule
        return [*names, rates[0], self.right, rates[1], hit]


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--quick", default=QUICK, help="the merge that rules see")
    args = parser.parse_args(words)
    seeds: dict[Path, list[Path]] = {}
    for path in args.files:
        seeds.setdefault(path.parent / seed_of(path), []).append(path)
    found = [check(seed, files, args.quick) for seed, files in seeds.items()]
    rows = [list(HEAD), ["---"] * len(HEAD), *(one.row() for one in found)]
    print(*(f"| {' | '.join(row)} |" for row in rows), sep="\n")
    print(f"\n{sum(one.hit for one in found)} of {len(found)} right.")


def check(seed: Path, files: Sequence[Path], quick: str = QUICK) -> Checked:
    """Return what the rules say of one seed, and what is right."""
    loaded = load(files)
    runs, plan = loaded.runs, SeedPlan.joined(loaded.plans)
    sets = list(plan.means.get(TRAINED, plan.sets))
    own = experts(runs, plan, sets)
    quick = quick if quick in plan.merges else plan.merges[0]
    columns = {BASE: dict.fromkeys(sets, plan.base), OWN: own}
    columns |= {MERGED: dict.fromkeys(sets, quick)}
    columns |= {
        name: dict.fromkeys(sets, name)
        for name, row in runs.items()
        if name != plan.base and set(sets) <= row.keys()
    }
    sample = Sample(
        list(columns), {name: counted(runs, columns, name) for name in sets}
    )
    facts = Facts(
        sample=sample,
        identified=identified(runs, plan, sets),
        adapters=all(name.startswith("lora_") for name in own.values()),
    )
    rule = decide(facts)
    reached = choices(runs, plan, sample, by_language=facts.identified is not None)
    right = cheapest(sample, reached)
    # Groups are no system of a table: what they become is all experts in one merge.
    advised = reached.get(rule.advises, reached["merge all"])
    return Checked(
        table=f"{seed.parent.parent.parent.parent.name} {seed.parent.name} {seed.name}",
        sets=len(sets),
        advised=rule.advises,
        rule=rule.name,
        reached=sample.rate(advised),
        right=right,
        best=sample.rate(reached[right]),
    )


def experts(runs: Runs, plan: SeedPlan, sets: Sequence[str]) -> dict[str, str]:
    """Return the expert of each set: full_es of es_test; fully trained ones first."""
    for kind in ("full", "lora"):
        own = {name: f"{kind}_{name.rpartition('_')[0]}" for name in sets}
        if all(name in runs.get(expert, {}) for name, expert in own.items()):
            return own
    sys.exit(f"{', '.join(sets)}: each needs an expert full_… or lora_… of its name.")


def identified(runs: Runs, plan: SeedPlan, sets: Sequence[str]) -> float | None:
    """Return the fraction of the languages that the base hears, where they differ."""
    if len({name.partition("_")[0] for name in sets}) < len(sets):
        return None
    heard = [
        run.language_accuracy
        for name in sets
        for run in runs[str(plan.base)][name].values()
    ]
    known = [one for one in heard if one is not None]
    return sum(known) / len(known) / 100 if len(known) == len(heard) else None


def counted(runs: Runs, columns: Mapping[str, Mapping[str, str]], name: str) -> Counted:
    """Return the errors of each utterance of a set, of all systems."""
    outcomes = [
        next(iter(runs[own[name]][name].values())).outcome for own in columns.values()
    ]
    errors = [[len(row) for row in outcome.rows] for outcome in outcomes]
    return Counted(np.array(outcomes[0].lengths), np.array(errors).T)


def choices(
    runs: Runs, plan: SeedPlan, sample: Sample, *, by_language: bool
) -> dict[str, str]:
    """Return the best system of each choice, the cheapest choice first."""
    trained = {name for name in runs if name.startswith(("full_", "lora_"))}
    routes = {*sample.systems} - trained - {*plan.merges, *plan.baseline}
    routes -= {BASE, OWN, MERGED}
    groups = {
        "keep the base": [BASE],
        "merge all": plan.merges,
        "route": (routes - {ORACLE}) or routes or ([OWN] if by_language else []),
        "train jointly": plan.baseline,
    }
    known = {
        choice: [name for name in names if name in sample.systems]
        for choice, names in groups.items()
    }
    return {
        choice: min(names, key=lambda name: sample.rate(name).value)
        for choice, names in known.items()
        if names
    }


def cheapest(sample: Sample, reached: Mapping[str, str]) -> str:
    """Return the cheapest choice that is not significantly worse than the best."""
    best = min(reached.values(), key=lambda name: sample.rate(name).value)
    return next(
        choice
        for choice, name in reached.items()
        if name == best or sample.difference(name, best).low <= 0
    )


if __name__ == "__main__":
    main(sys.argv[1:])

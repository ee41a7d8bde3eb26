"""Translations in a report: BLEU and chrF of raw text, where more is better."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from espnet_merge.report.choice import Task
from espnet_merge.report.grid import Grid
from espnet_merge.report.plan import IN_DOMAIN
from espnet_merge.report.results import Results
from espnet_merge.report.significance import DESIGN, Tested, as_json, by_column
from espnet_merge.report.tables import (
    MARKS,
    MISSING,
    best_of,
    describe_decoding,
    section,
    significant,
    table_of_systems,
)
from espnet_merge.score.bootstrap import Rates
from espnet_merge.score.compare import Difference
from espnet_merge.score.evaluate import main_reading
from espnet_merge.score.translation import (
    Translations,
    read_translations,
    score_difference,
)

READING = main_reading("bleu")
NAMES = {"bleu": "BLEU", "chrf": "chrF"}


def markdown(results: Results, tested: Tested) -> Iterator[str]:
    """Yield the tables of one decoding mode, if there are translations."""
    if not results.scores:
        return
    mode, plan = describe_decoding(results), results.plan
    yield "Translations: more is better."
    yield ""
    for metric, grid in grids(results).items():
        title = f"{NAMES[metric]}, raw text, {mode}; `{signature(results, metric)}`"
        yield from section(title, results, grid, best=max)
    yield from section(
        f"BLEU, normalizer `{results.normalizer}`, {mode}",
        results,
        results.rates(),
        best=max,
    )
    yield from section(
        f"Difference to {plan.base} (points of BLEU), raw text, {mode}",
        results,
        results.differences(READING),
        best=max,
        signed=True,
        marked=significant(tested),
    )
    if tested:
        yield MARKS
        yield ""
    yield f"### Translations with a loop, {mode}"
    yield ""
    yield from table_of_systems(
        results,
        [*map(results.label, plan.sets)],
        {s: [_loops(results, s, name) for name in plan.sets] for s in plan.kinds},
    )


def record(results: Results, tested: Tested) -> dict[str, Any]:
    """Return the tables of one decoding mode for the page and ``results.json``."""
    return {
        "columns": results.rates(READING).columns,
        "averages": list(results.plan.averages),
        "scores": {NAMES[metric]: grid.rows for metric, grid in grids(results).items()},
        "signatures": {
            NAMES[metric]: signature(results, metric)
            for metric in NAMES
            if results.scores
        },
        "tests": as_json(tested),
    }


def summary(results: Results) -> str:
    """Return the best merge's BLEU, and that of the base and the best joint model."""
    plan, grid = results.plan, results.rates(READING)
    if IN_DOMAIN not in grid.columns:
        return ""
    rates = grid.column(IN_DOMAIN)
    kinds = {"merge": plan.merges, "zero-shot": [plan.base], "joint": plan.joint}
    winners = {kind: best_of(rates, names, max) for kind, names in kinds.items()}
    scores = ", ".join(
        f"{name} ({kind}) {rates[name]:.1f}" for kind, name in winners.items() if name
    )
    languages = ", ".join(map(results.label, plan.averages[IN_DOMAIN]))
    return f"Macro BLEU over {languages}, more is better: {scores}."


class Drawn(NamedTuple):
    """The texts of translated sets, and their scores in resampled sets.

    A set is here if the texts of all systems still exist: BLEU is computed over a whole
    set, and the scores do not hold the counts of each utterance.

    Attributes:
        parts: set -> what BLEU is computed from.
        scores: set -> BLEU of each resample (row) and system (column).
    """

    parts: Mapping[str, Translations]
    scores: Mapping[str, Rates]


def draw(results: Results, expdir: Path) -> Drawn:
    """Return resampled scores of translated sets.

    Args:
        results: results of translated sets.
        expdir: directory of the systems.

    Raises:
        InputError: texts are broken, or their ids are not the same.
    """
    found = {name: _part(results, name, expdir) for name in results.plan.sets}
    parts = {name: part for name, part in found.items() if part}
    scores = {
        name: part.resampled(DESIGN.resamples, DESIGN.seeds(part.name, part.metric))
        for name, part in parts.items()
    }
    return Drawn(parts, scores)


def translation(results: Results, drawn: Drawn) -> Task | None:
    """Return how good systems are at translating, if groups have such sets."""
    grid, sets = results.rates(READING), results.plan.averages.get(IN_DOMAIN, ())
    if not results.scores or IN_DOMAIN not in grid.columns:
        return None
    means, of_systems = grid.column(IN_DOMAIN), {}
    if set(sets) <= drawn.scores.keys():
        rates = np.mean([drawn.scores[name] for name in sets], axis=0).T
        of_systems = dict(zip(results.plan.kinds, rates, strict=True))
    return Task(results, means, of_systems, max)


def against_base(results: Results, drawn: Drawn) -> Tested:
    """Return the differences of BLEU from the base, with p after Holm's correction."""
    plan = results.plan
    if not drawn.parts:
        return {}
    systems = list(plan.kinds)
    base = systems.index(plan.base)

    def of_system(system: str) -> dict[str, Difference]:
        other = systems.index(system)
        swapped = {
            name: part.swapped(
                base, other, DESIGN.resamples, DESIGN.seeds(part.name, part.metric)
            )
            for name, part in drawn.parts.items()
        }

        def test(*sets: str) -> Difference:
            chosen, swaps = [drawn.parts[n] for n in sets], [swapped[n] for n in sets]
            scores = [drawn.scores[n] for n in sets]
            return score_difference(chosen, scores, swaps, base, other, DESIGN)

        return by_column(results, drawn.parts, test)

    return {system: of_system(system) for system in systems if system != plan.base}


def fallen(results: Results, tested: Tested) -> dict[str, list[str]]:
    """Return system -> sets on which it is significantly worse than the base."""
    sets = [*map(results.label, results.plan.sets)]
    worse = {(x, c) for x, c in significant(tested) if tested[x][c].points < 0}
    return {x: [name for name in sets if (x, name) in worse] for x in tested}


def _loops(results: Results, system: str, name: str) -> str:
    score = results.scores.get((system, name))
    return MISSING if score is None else str(score["loops"])


def _part(results: Results, name: str, expdir: Path) -> Translations | None:
    reference, texts = results.reference(name), results.texts(name, expdir)
    if texts.keys() < results.plan.kinds.keys():
        return None
    if reference is None or not (reference / "text").is_file():
        return None
    # Raw text except for the width of spaces, which does not change BLEU.
    parts = read_translations(reference, list(texts.values()), "none", "bleu")
    # A set with several spoken languages has no single score.
    return parts[0] if len(parts) == 1 else None


def signature(results: Results, metric: str) -> str:
    """Return sacreBLEU's signature; all of them if sets differ."""
    found = dict.fromkeys(
        str(score["metrics"][metric][READING]["signature"])
        for score in results.scores.values()
    )
    return ", ".join(found)


def grids(results: Results) -> Mapping[str, Grid]:
    """Return metric -> scores of raw text."""
    return {metric: results.rates(READING, metric) for metric in NAMES}

"""Translations in a report: BLEU and chrF of raw text, of which more is better."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from espnet_merge.report.results import Grid, Results
from espnet_merge.report.significance import DESIGN, Tested, by_column, plain
from espnet_merge.report.tables import (
    MARKS,
    MISSING,
    best_of,
    how,
    section,
    significant,
    table_of_systems,
)
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
    """Yield the tables of one decoding mode, nothing without translations."""
    if not results.scores:
        return
    mode, plan = how(results), results.plan
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
        "tests": plain(tested),
    }


def summary(results: Results) -> str:
    """Say which merge translates best, and how the base and the joint models do."""
    plan, grid = results.plan, results.rates(READING)
    if "trained" not in grid.columns:
        return ""
    trained = grid.column("trained")
    kinds = {"merge": plan.merges, "zero-shot": [plan.base], "joint": plan.joint}
    found = {kind: best_of(trained, names, max) for kind, names in kinds.items()}
    said = [
        f"{name} ({kind}) {trained[name]:.1f}" for kind, name in found.items() if name
    ]
    languages = ", ".join(map(results.label, plan.averages["trained"]))
    return f"Macro BLEU over {languages}, more is better: {', '.join(said)}."


def against_base(results: Results, expdir: Path) -> Tested:
    """Return the differences of BLEU to the base, with p by Holm's correction.

    Of the sets whose texts, of all systems, are still there: BLEU is of a whole set,
    and what it is made of is not kept beside the scores.

    Args:
        results: of translated sets.
        expdir: directory of the systems.

    Raises:
        InputError: texts are broken, or their ids are not the same.
    """
    plan = results.plan
    found = {name: _part(results, name, expdir) for name in plan.sets}
    parts = {name: part for name, part in found.items() if part}
    drawn = {
        name: part.resampled(DESIGN.resamples, DESIGN.seeds(part.name, part.metric))
        for name, part in parts.items()
    }
    if not parts:
        return {}
    systems = list(plan.kinds)
    base = systems.index(plan.base)

    def of_system(system: str) -> dict[str, Difference]:
        other = systems.index(system)
        swapped = {
            name: part.swapped(
                base, other, DESIGN.resamples, DESIGN.seeds(part.name, part.metric)
            )
            for name, part in parts.items()
        }

        def test(*sets: str) -> Difference:
            own, swaps = [parts[n] for n in sets], [swapped[n] for n in sets]
            scores = [drawn[n] for n in sets]
            return score_difference(own, scores, swaps, base, other, DESIGN)

        return by_column(results, parts, test)

    return {system: of_system(system) for system in systems if system != plan.base}


def _loops(results: Results, system: str, name: str) -> str:
    score = results.scores.get((system, name))
    return MISSING if score is None else str(score["loops"])


def _part(results: Results, name: str, expdir: Path) -> Translations | None:
    reference, texts = results.reference(name), results.texts(name, expdir)
    if texts.keys() < results.plan.kinds.keys():
        return None
    if reference is None or not (reference / "text").is_file():
        return None
    # Raw, but for the width of spaces, which sacreBLEU does not see.
    parts = read_translations(reference, list(texts.values()), "none", "bleu")
    # Of several spoken languages there is not one number.
    return parts[0] if len(parts) == 1 else None


def signature(results: Results, metric: str) -> str:
    """Return sacreBLEU's signature, of each in turn where sets differ in it."""
    found = dict.fromkeys(
        str(score["metrics"][metric][READING]["signature"])
        for score in results.scores.values()
    )
    return ", ".join(found)


def grids(results: Results) -> Mapping[str, Grid]:
    """Return metric -> scores of raw text."""
    return {metric: results.rates(READING, metric) for metric in NAMES}

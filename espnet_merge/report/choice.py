"""The sentence that says what to use, and why.

Of all ways to one system for all groups, the cheapest is taken that is not
significantly worse than the best: the same rule as that of ``benchmarks/advice.py``.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from espnet_merge.report.plan import IN_DOMAIN, ORACLE, Plan, language_of
from espnet_merge.report.results import Results
from espnet_merge.report.significance import DESIGN
from espnet_merge.report.tables import best_of
from espnet_merge.score.bootstrap import Interval, interval
from espnet_merge.speech import AUTO

UNITS = {"WER": "errors in 100 words", "CER": "errors in 100 characters"}


def choice(results: Results, fallen: Mapping[str, Sequence[str]]) -> str:
    """Return which system to use in domain, and why; nothing if there is no choice.

    Args:
        results: results of transcribed sets.
        fallen: system -> columns in which it is significantly worse than the base.
    """
    plan, grid = results.plan, results.rates()
    if IN_DOMAIN not in grid.columns:
        return ""
    means, sets = grid.column(IN_DOMAIN), plan.averages[IN_DOMAIN]
    # What each is, the cheapest first: joint training is one more training, on the data
    # of all groups, which may be nowhere together.
    ways = {
        "the untrained model": [plan.base],
        "one model merged from experts": plan.merges,
        "an expert for each utterance": _usable_routes(results),
        "one model trained on the data of all groups": plan.joint,
    }
    found = {what: best_of(means, systems) for what, systems in ways.items()}
    known = {system: what for what, system in found.items() if system is not None}
    if len(known) < 2:
        return ""
    best = min(known, key=lambda system: means[system])
    cheaper = [*known][: [*known].index(best)]
    behind = _intervals(results, [*cheaper, best], sets)
    chosen = next((s for s in cheaper if behind[s].low <= 0), best)
    unit = UNITS.get(results.metric_name, "points of error rate")
    names = ", ".join(map(results.label, sets))
    what = f"{known[chosen]}: {means[chosen]:.1f} {unit} of {names}"
    if chosen != plan.base and plan.base in means:
        what += (
            f", where {plan.base}, the untrained model, makes {means[plan.base]:.1f}"
        )
    if chosen != best:
        low, high = behind[chosen].low, behind[chosen].high
        why = (
            f"the best, {best} ({known[best]}), makes {means[best]:.1f}, but these sets"
            f" cannot tell the two apart (difference [{low:.1f}, {high:.1f}]), and"
            f" {chosen} costs less"
        )
    else:
        rest = [f"{s} {means[s]:.1f}" for s in cheaper if s != plan.base]
        worse = f"what costs less is significantly worse ({', '.join(rest)})"
        why = worse if rest else ""
    sentence = "; ".join(filter(None, [f"Use {chosen} here, {what}", why]))
    if lost := ", ".join(fallen.get(chosen, ())):
        return f"{sentence}. It is significantly worse than {plan.base} on {lost}."
    return f"{sentence}."


def _intervals(
    results: Results, systems: Sequence[str], sets: Sequence[str]
) -> dict[str, Interval]:
    """Return the intervals of the mean rates of systems, less that of the last."""
    rates = np.mean([DESIGN.draw(results.part(name, systems)) for name in sets], axis=0)
    return {
        system: interval(own - rates[:, -1], DESIGN.alpha)
        for system, own in zip(systems, rates.T, strict=True)
    }


def _usable_routes(results: Results) -> Sequence[str]:
    """Return the routed systems, without that by groups if nobody is told these.

    Users know them where groups are languages, and languages are given.
    """
    plan = results.plan
    told = _told(plan, results.settings().get("language"))
    return [system for system in plan.routed if told or system != ORACLE]


def _told(plan: Plan, language: object) -> bool:
    languages = [{*map(language_of, members)} for members in plan.groups.values()]
    apart = len(set().union(*languages)) == sum(map(len, languages))
    return language != AUTO and apart

"""The sentence that summarises the tables."""

from espnet_merge.report.plan import IN_DOMAIN, OTHER, OUT_OF_DOMAIN
from espnet_merge.report.results import Results
from espnet_merge.report.significance import DESIGN, Tested, mean_difference
from espnet_merge.report.tables import INTERVALS, best_of
from espnet_merge.score.compare import Difference

# Columns of sets that belong to no group.
UNSEEN = (OUT_OF_DOMAIN, OTHER)


def summary(results: Results, tested: Tested) -> str:
    """Return which merge is best in domain, and what it gained and lost.

    Args:
        results: results of transcribed sets.
        tested: differences from the base.
    """
    plan, grid = results.plan, results.rates()
    if IN_DOMAIN not in grid.columns:
        return "No set belongs to a group: no merge can be called best."
    means = grid.column(IN_DOMAIN)
    best = best_of(means, plan.merges)
    if best is None:
        return "No merge has scores for all sets of groups."
    sets = ", ".join(map(results.label, plan.averages[IN_DOMAIN]))
    clauses = [
        f"Best merge: {best}, macro {results.metric_name} {means[best]:.1f} over {sets}"
    ]
    joint = best_of(means, plan.joint)
    if IN_DOMAIN in tested[best]:
        zero_shot = f"zero-shot ({plan.base}, {means[plan.base]:.1f})"
        clauses.append(_verdict(tested[best][IN_DOMAIN], zero_shot))
    if joint is not None:
        change = mean_difference(results, best, joint, plan.averages[IN_DOMAIN])
        clauses.append(_verdict(change, f"joint ({joint}, {means[joint]:.1f})"))
    clauses += filter(None, (_change(results, tested, c, best, joint) for c in UNSEEN))
    chosen = (
        f" The best of {len(plan.merges)} merges was chosen on these sets, which"
        " favours it."
        if len(plan.merges) > 1
        else ""
    )
    return f"{'; '.join(clauses)}. {INTERVALS}{chosen}"


def _change(
    results: Results, tested: Tested, column: str, best: str, joint: str | None
) -> str:
    """Return what the best merge and the joint system change on other sets."""
    changes = {
        system: tested[system][column]
        for system in (best, joint)
        if system is not None and column in tested[system]
    }
    if not changes:
        return ""
    sets = ", ".join(map(results.label, results.plan.averages[column]))
    by_system = ", ".join(
        f"{system} {change.points:+.1f} ({_p(change.p)})"
        for system, change in changes.items()
    )
    return f"change on {sets}, not trained for: {by_system} points"


def _verdict(tested: Difference, other: str) -> str:
    points, low, high = tested.points, tested.low, tested.high
    if abs(points) < 0.05:
        return f"it equals {other} ([{low:+.1f}, {high:+.1f}], {_p(tested.p)})"
    verb = "loses to"
    if points < 0:
        verb, points, low, high = "beats", -points, -high, -low
    return (
        f"it {verb} {other} by {points:.1f} ([{low:.1f}, {high:.1f}], {_p(tested.p)})"
    )


def _p(p: float) -> str:
    verdict = "" if p < DESIGN.alpha else ", not significant"
    return ("p < 0.001" if p < 0.001 else f"p {p:.3f}") + verdict

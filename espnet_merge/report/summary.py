"""The sentence that summarises the tables."""

from espnet_merge.report.results import Results
from espnet_merge.report.significance import DESIGN, Tested, mean_difference
from espnet_merge.report.tables import INTERVALS, best_of
from espnet_merge.score.compare import Difference


def summary(results: Results, tested: Tested) -> str:
    """Return which merge is best on the trained languages, and what it gained and lost.

    Args:
        results: results of transcribed sets.
        tested: differences from the base.
    """
    plan, grid = results.plan, results.rates()
    if "trained" not in grid.columns:
        return "No set of a trained language: no merge can be called best."
    trained = grid.column("trained")
    best = best_of(trained, plan.merges)
    if best is None:
        return "No merge has scores for all trained languages."
    languages = ", ".join(map(results.label, plan.averages["trained"]))
    clauses = [
        f"Best merge: {best}, macro {results.metric_name} {trained[best]:.1f} over "
        f"{languages}"
    ]
    joint = best_of(trained, plan.joint)
    if "trained" in tested[best]:
        zero_shot = f"zero-shot ({plan.base}, {trained[plan.base]:.1f})"
        clauses.append(_verdict(tested[best]["trained"], zero_shot))
    if joint is not None:
        change = mean_difference(results, best, joint, plan.averages["trained"])
        clauses.append(_verdict(change, f"joint ({joint}, {trained[joint]:.1f})"))
    changes = {
        system: tested[system]["untrained"]
        for system in (best, joint)
        if system is not None and "untrained" in tested[system]
    }
    if changes:
        languages = ", ".join(map(results.label, plan.averages["untrained"]))
        by_system = ", ".join(
            f"{system} {change.points:+.1f} ({_p(change.p)})"
            for system, change in changes.items()
        )
        clauses.append(f"change on {languages}, not trained: {by_system} points")
    chosen = (
        f" The best of {len(plan.merges)} merges was chosen on these sets, which"
        " favours it."
        if len(plan.merges) > 1
        else ""
    )
    return f"{'; '.join(clauses)}. {INTERVALS}{chosen}"


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

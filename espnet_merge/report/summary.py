"""The sentence that sums the tables up."""

from espnet_merge.report.results import Results
from espnet_merge.report.significance import DESIGN, mean_difference
from espnet_merge.report.tables import INTERVALS, best_of
from espnet_merge.score.compare import Difference


def summary(results: Results) -> str:
    """Say which merge is best on the trained languages, and what it gained and lost."""
    plan, grid = results.plan, results.rates()
    if "trained" not in grid.columns:
        return "No set of a trained language: no merge can be called best."
    trained = grid.column("trained")
    best = best_of(trained, plan.merges)
    if best is None:
        return "No merge has scores for all trained languages."
    languages = ", ".join(map(results.label, plan.averages["trained"]))
    said = [
        f"Best merge: {best}, macro {results.metric_name} {trained[best]:.1f} over "
        f"{languages}"
    ]
    others = {
        "zero-shot": best_of(trained, [plan.base]),
        "joint": best_of(trained, plan.joint),
    }
    for kind, other in others.items():
        if other is not None:
            tested = mean_difference(results, best, other, plan.averages["trained"])
            said.append(_verdict(tested, f"{kind} ({other}, {trained[other]:.1f})"))
    if "untrained" in grid.columns:
        unseen = plan.averages["untrained"]
        changes = results.differences().column("untrained")
        told = [
            f"{other} {changes[other]:+.1f}"
            f" ({_p(mean_difference(results, other, plan.base, unseen).p)})"
            for other in (best, others["joint"])
            if other in changes
        ]
        if told:
            languages = ", ".join(map(results.label, unseen))
            said.append(f"change on {languages}, not trained: {', '.join(told)} points")
    chosen = (
        f" The best of {len(plan.merges)} merges was chosen on these sets, which"
        " favours it."
        if len(plan.merges) > 1
        else ""
    )
    return f"{'; '.join(said)}. {INTERVALS}{chosen}"


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

"""Which trial is taken, and what the trials tell."""

from collections.abc import Mapping, Sequence
from typing import Any

from espnet_merge.search.goals import Goal, costs, front, order
from espnet_merge.search.study import Study, Trial


def best_first(trials: Sequence[Trial], goals: Sequence[Goal]) -> list[int]:
    """Return the places of the trials, the best first."""
    return order(costs([trial.scores for trial in trials], goals))


def told(
    study: Study, checked: Mapping[int, Sequence[float]], goals: Sequence[Goal]
) -> dict[str, Any]:
    """Return the trials of a study, the best of them, and what they tell.

    Args:
        study: with a finished trial.
        checked: scores of trials that were also decoded, by number.
        goals: of these scores.
    """
    trials = study.finished
    both = [place for place, trial in enumerate(trials) if trial.number in checked]
    best = best_first(trials, study.goals)[0]
    if both:
        decoded = costs([checked[trials[place].number] for place in both], goals)
        best = both[order(decoded)[0]]
    return {
        "trials": [
            {
                **{k: v for k, v in trial._asdict().items() if k != "number"},
                **({"checked": checked[trial.number]} if place in both else {}),
            }
            for place, trial in enumerate(trials)
        ],
        "best": best,
        "front": front(costs([trial.scores for trial in trials], study.goals)),
        "importances": {
            goal.name: study.importances(number)
            for number, goal in enumerate(study.goals)
        },
        "correlation": _correlation(study, checked, goals),
    }


def _correlation(
    study: Study, checked: Mapping[int, Sequence[float]], goals: Sequence[Goal]
) -> dict[str, float] | None:
    """Return Spearman's of the first goal and the first that was checked, if any.

    None where fewer than three trials have both, or all have the same of one.
    """
    from scipy.stats import spearmanr

    both = [trial for trial in study.finished if trial.number in checked]
    losses = costs([trial.scores for trial in both], study.goals)[:, 0]
    errors = costs([checked[trial.number] for trial in both], goals)[:, 0]
    if len(both) < 3 or min(len({*losses}), len({*errors})) < 2:
        return None
    return {"spearman": float(spearmanr(losses, errors)[0]), "trials": len(both)}

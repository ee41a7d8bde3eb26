"""What was measured of one system, for its model card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from espnet_merge.card.scores import Evidence, SetScore
from espnet_merge.errors import InputError
from espnet_merge.files import SCORE_JSON
from espnet_merge.report.modes import describe_mode
from espnet_merge.report.scores import read_score
from espnet_merge.score.design import Design, Texts
from espnet_merge.score.evaluate import ERROR_RATES, headline
from espnet_merge.score.gate import judge

type Scores = Mapping[str, Mapping[str, Any]]


def read_evidence(
    system: Path, baseline: Path | None = None, margin: float = 0.0
) -> Evidence:
    """Return scores of a system, tested against those of a baseline.

    Args:
        system: directory of its decoded and scored sets.
        baseline: the same of another system, which decoded them, too.
        margin: allowed rise of error rates, in points.

    Raises:
        InputError: there is no score, one is broken, or the two do not fit.
    """
    scores, others = _read(system), _read(baseline) if baseline else {}
    found = [
        _set_score(name, score, others.get(name)) for name, score in scores.items()
    ]
    if baseline is None:
        return Evidence(found)
    tested = {n: x for n, x in scores.items() if x["main"] in ERROR_RATES}
    if not tested:
        return Evidence(found)
    verdict = judge(_texts(tested), baseline, system, Design(margin=margin))
    lines = [
        f"{row.name} {row.metric.upper()}: {row.a:.2f} to {row.b:.2f}, "
        f"{row.points:+.2f} points, p {row.p:.4f}"
        for row in verdict.fallen
    ]
    return Evidence(found, len(verdict.rows), lines)


def _read(system: Path) -> Scores:
    paths = sorted(system.glob(f"*/{SCORE_JSON}"))
    if not paths:
        raise InputError(
            f"{system}: at least one <set>/{SCORE_JSON} is needed; there is none: give "
            "a directory such as exp/ties/inference_padded, decoded and scored."
        )
    return {path.parent.name: read_score(path) for path in paths}


def _texts(scores: Scores) -> Texts:
    """Return what the gate compares: what was scored, normalised as it was."""
    normalizers = {score["normalizer"] for score in scores.values()}
    if len(normalizers) > 1:
        raise InputError(
            "all sets must be scored with one normalizer; these are with "
            f"{', '.join(sorted(normalizers))}: score again."
        )
    references = [str(score["reference"]) for score in scores.values()]
    return Texts(ref=references, normalizer=normalizers.pop())


def _set_score(
    name: str, score: Mapping[str, Any], other: Mapping[str, Any] | None
) -> SetScore:
    metric = score["main"]
    reading = "normalized" if metric in ERROR_RATES else "raw"
    return SetScore(
        name=name,
        languages=sorted(score["languages"]),
        metric=metric,
        value=headline(score["metrics"][metric][reading]),
        raw=headline(score["metrics"][metric]["raw"]),
        utterances=score["utterances"],
        normalizer=score["normalizer"],
        mode=describe_mode(score["mode"]),
        baseline=headline(other["metrics"][metric][reading]) if other else None,
    )

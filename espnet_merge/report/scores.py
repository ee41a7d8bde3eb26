"""The scores of one system on one set, as ``espnet-merge score`` writes them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from espnet_merge.errors import InputError
from espnet_merge.files import RESULT_TXT
from espnet_merge.score import bootstrap
from espnet_merge.score.counts import Counts
from espnet_merge.score.current import check_rules
from espnet_merge.score.evaluate import ERROR_RATES, METRICS, headline, main_metric
from espnet_merge.score.identification import heard_right
from espnet_merge.score.result import read_counts


class Utterances(NamedTuple):
    """Of one system on one set in its error rate, normalised, sorted by name."""

    names: Sequence[str]
    tokens: bootstrap.Counts
    errors: bootstrap.Counts


def error_rate(score: Mapping[str, Any]) -> str:
    """Return the error rate of a score that counts, beside BLEU too."""
    main = str(score["main"])
    return main if main in ERROR_RATES else main_metric(score["languages"])


def identified(score: Mapping[str, Any]) -> float | None:
    """Return in how many utterances the right language was heard, in percent.

    None where that was not noted.
    """
    table = score.get("identification")
    return heard_right(table) if table else None


def read_score(path: Path) -> dict[str, Any]:
    """Return a ``score.json`` with what every table needs, so that none stops half-way.

    Raises:
        InputError: it is broken, or by rules of another version.
    """
    try:
        score: dict[str, Any] = json.loads(path.read_bytes())
        for key in ("main", "mode", "normalizer", "utterances", "languages", "loops"):
            score[key]
        for metric in METRICS if score["main"] == "bleu" else ERROR_RATES:
            for reading in ("raw", "normalized"):
                float(headline(score["metrics"][metric][reading]))
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path}: must hold WER and CER as 'espnet-merge score' writes them, and "
            "BLEU and chrF of translations; "
            f"{type(error).__name__} {error}: score again."
        ) from error
    check_rules(path, score)
    return score


def read_utterances(path: Path, score: Mapping[str, Any]) -> Utterances:
    """Return the counts of each utterance, which lie beside a ``score.json``.

    Args:
        path: of it.
        score: its content.

    Raises:
        InputError: they are broken, or do not add up to the score.
    """
    metric = error_rate(score)
    result = path.parent / f"score_{metric}" / RESULT_TXT
    try:
        counts = sorted(read_counts(result.read_text("utf-8")).items())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{result}: must be what 'espnet-merge score' writes; got "
            f"{type(error).__name__}: score again."
        ) from error
    total = sum((own for _, own in counts), Counts())
    rate = score["metrics"][metric]["normalized"]["rate"]
    if not total.reference or total.rate != rate:
        raise InputError(
            f"{result}: must add up to the rate in score.json, {rate:.2f} %; got "
            f"{total.errors} errors in {total.reference} tokens: score again."
        )
    return Utterances(
        [name for name, _ in counts],
        np.array([own.reference for _, own in counts]),
        np.array([own.errors for _, own in counts]),
    )

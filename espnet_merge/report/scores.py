"""Reading the scores of one system on one set that ``espnet-merge score`` wrote."""

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


class UtteranceCounts(NamedTuple):
    """Counts of each utterance of a set, for one system and the set's error rate.

    Attributes:
        names: ids of the utterances, sorted.
        tokens: tokens in each normalised reference.
        errors: errors in each normalised hypothesis.
    """

    names: Sequence[str]
    tokens: bootstrap.Counts
    errors: bootstrap.Counts


def error_rate(score: Mapping[str, Any]) -> str:
    """Return the error rate of a score: ``wer`` or ``cer``, also of translations."""
    main = str(score["main"])
    return main if main in ERROR_RATES else main_metric(score["languages"])


def language_accuracy(score: Mapping[str, Any]) -> float | None:
    """Return the percentage of utterances whose language was identified correctly.

    None if the identified languages were not recorded.
    """
    table = score.get("identification")
    return heard_right(table) if table else None


def read_score(path: Path) -> dict[str, Any]:
    """Return the content of a ``score.json``, after a check for all that tables need.

    Raises:
        InputError: it is broken, or made by rules of another version.
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


def read_utterance_counts(path: Path, score: Mapping[str, Any]) -> UtteranceCounts:
    """Return the counts of each utterance, from the file beside a ``score.json``.

    Args:
        path: path of the ``score.json``.
        score: its content.

    Raises:
        InputError: the counts are broken, or do not add up to the score.
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
    total = sum((utterance for _, utterance in counts), Counts())
    rate = score["metrics"][metric]["normalized"]["rate"]
    if not total.reference or total.rate != rate:
        raise InputError(
            f"{result}: must add up to the rate in score.json, {rate:.2f} %; got "
            f"{total.errors} errors in {total.reference} tokens: score again."
        )
    return UtteranceCounts(
        [name for name, _ in counts],
        np.array([utterance.reference for _, utterance in counts]),
        np.array([utterance.errors for _, utterance in counts]),
    )

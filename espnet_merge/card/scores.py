"""The scores of a system, as a model card states them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from huggingface_hub.repocard_data import EvalResult

RECOGNITION = "automatic-speech-recognition"
TRANSLATION = "translation"


class SetScore(NamedTuple):
    """The score of a test set.

    Attributes:
        name: of the set.
        languages: that are spoken in it.
        metric: ``wer``, ``cer`` or ``bleu``.
        value: in percent, or BLEU: of normalised texts, BLEU of raw ones.
        raw: the same of raw texts.
        utterances: number of them.
        normalizer: name of the normaliser.
        mode: of decoding, in words.
        baseline: value of the system that it was compared with; None if it was not.
    """

    name: str
    languages: Sequence[str]
    metric: str
    value: float
    raw: float
    utterances: int
    normalizer: str
    mode: str
    baseline: float | None = None


class Evidence(NamedTuple):
    """What was measured of a system.

    Attributes:
        scores: of its sets.
        tests: number of tests against the baseline; 0 if there were none.
        fallen: a line for each test in which it is significantly worse.
    """

    scores: Sequence[SetScore] = ()
    tests: int = 0
    fallen: Sequence[str] = ()


def results(scores: Iterable[SetScore]) -> list[EvalResult]:
    """Return the scores for the metadata of a card."""
    return [
        EvalResult(
            task_type=TRANSLATION if score.metric == "bleu" else RECOGNITION,
            dataset_type=score.name,
            dataset_name=score.name,
            metric_type=score.metric,
            metric_name=f"{score.metric.upper()}, {reading(score)}, {score.mode}",
            metric_value=round(score.value, 2),
        )
        for score in scores
    ]


def section(evidence: Evidence) -> Iterator[str]:
    """Yield the lines on scores, and on what was forgotten."""
    if not evidence.scores:
        return
    yield "## Scores"
    yield ""
    yield "| set | language | utterances | metric | value | raw | base | decoded |"
    yield "|---|---|---:|---|---:|---:|---:|---|"
    for score in evidence.scores:
        base = "–" if score.baseline is None else f"{score.baseline:.2f}"
        yield (
            f"| {score.name} | {' '.join(score.languages)} | {score.utterances} | "
            f"{score.metric.upper()}, {reading(score)} | {score.value:.2f} | "
            f"{score.raw:.2f} | {base} | {score.mode} |"
        )
    yield ""
    yield "WER and CER in %, less is better; BLEU, more is better."
    yield ""
    yield "## What was forgotten"
    yield ""
    if not evidence.tests:
        yield "Not tested."
    elif not evidence.fallen:
        yield (
            f"Nothing that {evidence.tests} tests against the base could find: sets, "
            "languages in them, identification of languages."
        )
    else:
        yield "Significantly worse than the base:"
        yield ""
        yield from (f"- {line}" for line in evidence.fallen)
    yield ""


def reading(score: SetScore) -> str:
    """Return which texts were scored, in words."""
    return "raw" if score.metric == "bleu" else f"normalizer {score.normalizer}"

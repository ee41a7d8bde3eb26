"""Scores of one decoded set: error rates, BLEU, chrF and signs of hallucination."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from espnet_merge.errors import InputError
from espnet_merge.score.counts import Counts, Pair, align, count
from espnet_merge.score.languages import CHINESE, UNSEGMENTED
from espnet_merge.score.normalize import rule_for
from espnet_merge.score.signs import has_loop, is_too_long
from espnet_merge.score.utterances import ScoredUtterance, normalized
from espnet_merge.speech import TRANSLATE

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric

ERROR_RATES = ("wer", "cer")
CORPUS_SCORES = ("bleu", "chrf")
METRICS = (*ERROR_RATES, *CORPUS_SCORES)

type Watch = Callable[[str, ScoredUtterance, Sequence[Pair], Counts], None]


def evaluate(
    utterances: Sequence[ScoredUtterance],
    normalizer: str,
    metrics: Sequence[str] | None = None,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Score a set, raw and normalised, and return the content of ``score.json``.

    If a reference is empty, raw or after normalisation, all tokens of its hypothesis
    count as insertions.

    Args:
        utterances: of the set, with unnormalised texts.
        normalizer: name of the normaliser.
        metrics: of ``METRICS``; None for error rates, preceded by BLEU and chrF if the
            set has translations.
        watch: called for each utterance with the metric, the normalised utterance, its
            alignment and its counts, so that callers need not align again.

    Raises:
        InputError: unknown normaliser or metric, or not one reference has text.
    """
    tasks = Counter(utterance.task for utterance in utterances)
    for metric in metrics or ():
        if metric not in METRICS:
            raise InputError(
                f"metric must be one of {', '.join(METRICS)}; got {metric!r}."
            )
    if not utterances:
        raise InputError("a set to score must have utterances; this one has none.")
    clean = normalized(utterances, normalizer)
    if not any(utterance.reference for utterance in clean):
        raise InputError(
            f"some reference must have text; after normalizer {normalizer!r} all "
            f"{len(clean)} are empty: take another normalizer or correct the text."
        )
    languages = Counter(utterance.language for utterance in utterances)
    return {
        "normalizer": normalizer,
        "rules": {lang: rule_for(normalizer, lang).__name__ for lang in languages},
        "languages": languages,
        "tasks": tasks,
        "utterances": len(utterances),
        "main": main_of(utterances),
        "metrics": {
            metric: {
                "raw": _measure(utterances, metric, None),
                "normalized": _measure(clean, metric, watch),
            }
            for metric in dict.fromkeys(metrics or usual_metrics(tasks))
        },
        "empty_references": sum(not utterance.reference for utterance in clean),
        "empty_hypotheses": sum(not utterance.hypothesis for utterance in clean),
        "loops": sum(map(_loops, clean)),
        "too_long": sum(is_too_long(u.reference, u.hypothesis) for u in clean),
    }


def usual_metrics(tasks: Iterable[str]) -> tuple[str, ...]:
    """Return the usual metrics of a set whose utterances have these tasks.

    Translations get error rates as well; they show which texts differ most.

    >>> usual_metrics(["transcribe"]), usual_metrics(["transcribe", "translate"])
    (('wer', 'cer'), ('bleu', 'chrf', 'wer', 'cer'))
    """
    return (*CORPUS_SCORES, *ERROR_RATES) if TRANSLATE in tasks else ERROR_RATES


def headline(values: Mapping[str, Any]) -> float:
    """Return the number that sums up a metric: its error rate or its score."""
    value: float = values["rate"] if "rate" in values else values["score"]
    return value


def main_reading(metric: str) -> str:
    """Return which of a metric's two values in ``score.json`` is the main one.

    For error rates it is the value on normalised text. For BLEU and chrF it is the
    value on raw text, as papers print it: sacreBLEU's signature names its own
    tokenisation.
    """
    return "raw" if metric in CORPUS_SCORES else "normalized"


def main_of(utterances: Sequence[ScoredUtterance]) -> str:
    """Return the main metric of a set: ``bleu`` where all of it is translated."""
    if {utterance.task for utterance in utterances} == {TRANSLATE}:
        return "bleu"
    return main_metric(Counter(utterance.language for utterance in utterances))


def main_metric(languages: Mapping[str, int]) -> str:
    """Return ``cer`` where a language has no spaces between its words, else ``wer``.

    >>> main_metric({"es": 40}), main_metric({"es": 40, "zh": 2})
    ('wer', 'cer')
    """
    return "cer" if UNSEGMENTED & languages.keys() else "wer"


def aligned(
    utterances: Sequence[ScoredUtterance], metric: str
) -> Iterator[tuple[ScoredUtterance, list[Pair]]]:
    """Yield each utterance with its alignment; only one is in memory at a time."""
    for utterance in utterances:
        reference, hypothesis = utterance.reference, utterance.hypothesis
        if metric == "cer" and utterance.language in UNSEGMENTED:
            # In such scripts a space is layout and not part of what is spoken.
            reference, hypothesis = map(_without_spaces, (reference, hypothesis))
        yield utterance, align(reference, hypothesis, metric)


def corpus_scorer(utterances: Sequence[ScoredUtterance], metric: str) -> "Metric":
    """Return sacreBLEU's metric; BLEU gets the tokeniser that fits the language."""
    from sacrebleu.metrics import BLEU, CHRF

    if metric == "chrf":
        return CHRF()
    # force: do not warn of tokenised text; a normaliser splits punctuation off.
    return BLEU(tokenize=_bleu_tokens(utterances), force=True)


def _measure(
    utterances: Sequence[ScoredUtterance], metric: str, watch: Watch | None
) -> dict[str, Any]:
    if metric not in ERROR_RATES:
        return _sacrebleu(utterances, metric)
    total = Counts()
    for utterance, pairs in aligned(utterances, metric):
        counts = count(pairs)
        total += counts
        if watch:
            watch(metric, utterance, pairs, counts)
    return {"rate": total.rate, "reference": total.reference, **asdict(total)}


def _sacrebleu(utterances: Sequence[ScoredUtterance], metric: str) -> dict[str, Any]:
    scorer = corpus_scorer(utterances, metric)
    hypotheses = [utterance.hypothesis for utterance in utterances]
    references = [utterance.reference for utterance in utterances]
    score = scorer.corpus_score(hypotheses, [references])
    return {"score": score.score, "signature": str(scorer.get_signature())}


def _bleu_tokens(utterances: Sequence[ScoredUtterance]) -> str:
    languages = {utterance.language for utterance in utterances}
    if languages <= CHINESE:
        return "zh"
    return "char" if languages & UNSEGMENTED else "13a"


def _loops(utterance: ScoredUtterance) -> bool:
    """Return whether the hypothesis loops and its reference does not."""
    split = list if utterance.language in UNSEGMENTED else str.split
    reference, hypothesis = split(utterance.reference), split(utterance.hypothesis)
    return has_loop(hypothesis) and not has_loop(reference)


def _without_spaces(text: str) -> str:
    return "".join(text.split())

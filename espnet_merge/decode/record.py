"""The record of an utterance in ``text.json``."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from transformers import WhisperTokenizer

from espnet_merge.decode.identify import IdentifiedLanguage
from espnet_merge.decode.journal import Record
from espnet_merge.decode.search import Hypothesis
from espnet_merge.decode.utterances import Utterance
from espnet_merge.speech import AUTO, SAMPLE_RATE
from espnet_merge.whisper.prompt import first_timestamp


class DecodedSegment(NamedTuple):
    """A decoded segment of an utterance, or a whole utterance.

    Attributes:
        audio: what was decoded.
        language: language in the prompt, given or identified.
        hypothesis: what was found.
        adapter: name of the adapter in ``Routes``; None without routes.
        identified: language that the model identifies although one is given; None if
            that was not asked for.
    """

    audio: Utterance
    language: IdentifiedLanguage
    hypothesis: Hypothesis
    adapter: str | None = None
    identified: IdentifiedLanguage | None = None


def utterance_record(
    utterance: Utterance,
    segments: Sequence[DecodedSegment],
    tokenizer: WhisperTokenizer,
    *,
    timestamps: bool = False,
) -> Record:
    """Return the record of an utterance, with its segments joined in order of time.

    Args:
        utterance: utterance of the data directory.
        segments: the decoded utterance, or its segments in any order. There are none if
            nobody speaks, or if the utterance has a defect, which the record then
            names.
        tokenizer: the model's tokenizer.
        timestamps: whether the tokens hold timestamps. If so the record has
            ``segments``, like that of a recording that was cut.
    """
    segments = sorted(segments, key=lambda segment: segment.audio.start)
    hypotheses = [segment.hypothesis for segment in segments]
    zero = first_timestamp(tokenizer)
    words = [[t for t in h.tokens if zero is None or t < zero] for h in hypotheses]
    score = sum((hypothesis.score for hypothesis in hypotheses), 0.0)
    steps = sum(hypothesis.steps for hypothesis in hypotheses)
    record: Record = {
        "text": " ".join(filter(None, (text_of(tokenizer, ids) for ids in words))),
        **_language(utterance, segments),
        **_identified(segments),
        **_adapter(segments),
        "task": utterance.task,
        "tokens": sum(len(hypothesis.tokens) for hypothesis in hypotheses),
        "score": round(score, 4),
        "score_per_token": round(score / max(steps, 1), 4),
        "seconds": round(utterance.seconds, 3),
        "repeats": max(map(repeats, words), default=0),
        "truncated": not all(hypothesis.ended for hypothesis in hypotheses),
        "temperature": max((h.temperature for h in hypotheses), default=0.0),
    }
    if utterance.defect:
        record["not_decoded"] = utterance.defect
    elif timestamps or [segment.audio for segment in segments] != [utterance]:
        record["segments"] = [
            {
                "start": round(start, 3),
                "end": round(end, 3),
                "language": segment.language.code,
                **_adapter([segment]),
                "text": text_of(tokenizer, tokens),
            }
            for segment in segments
            for start, end, tokens in _timed(segment, zero if timestamps else None)
        ]
    return record


def _timed(
    segment: DecodedSegment, zero: int | None
) -> Iterator[tuple[float, float, list[int]]]:
    """Yield start and end in the recording, and the tokens between two timestamps.

    Without timestamps there is one item, the whole segment.

    Args:
        segment: a decoded segment.
        zero: id of ``<|0.00|>``; each later id stands for 20 ms more. None if the
            tokens hold no timestamps.
    """
    audio = segment.audio
    offset = audio.start / SAMPLE_RATE
    start, words = 0.0, []
    for token in segment.hypothesis.tokens:
        if zero is None or token < zero:
            words.append(token)
            continue
        # Whisper may place an end in the silence that was added.
        end = min(0.02 * (token - zero), audio.seconds)
        if words:
            yield offset + start, offset + end, words
        start, words = end, []
    if words:
        yield offset + start, offset + audio.seconds, words


def _language(utterance: Utterance, segments: Sequence[DecodedSegment]) -> Record:
    """Return the language of an utterance, identified over all segments if need be."""
    if utterance.language != AUTO:
        return {"language": utterance.language}
    if not segments:
        return {"language": None, "language_probability": 0.0}
    language, probability = _main_language(
        [(segment.language, segment.audio.samples) for segment in segments]
    )
    return {"language": language, "language_probability": probability}


def _identified(segments: Sequence[DecodedSegment]) -> Record:
    """Return the language that was identified although one was given, if any."""
    identified = [
        (segment.identified, segment.audio.samples)
        for segment in segments
        if segment.identified
    ]
    if not identified:
        return {}
    language, probability = _main_language(identified)
    return {"heard": language, "heard_probability": probability}


def _main_language(
    identified: Sequence[tuple[IdentifiedLanguage, int]],
) -> tuple[str, float]:
    """Return the language with the highest probability over all samples.

    Args:
        identified: language and number of samples of each segment.
    """
    weights: dict[str, float] = defaultdict(float)
    for language, samples in identified:
        weights[language.code] += language.probability * samples
    main = max(weights, key=weights.__getitem__)
    total = sum(samples for _, samples in identified)
    return main, round(weights[main] / total, 4)


def _adapter(segments: Sequence[DecodedSegment]) -> Record:
    """Return the adapter that decoded most of an utterance, if there are routes."""
    samples: dict[str, int] = defaultdict(int)
    for segment in segments:
        if segment.adapter is not None:
            samples[segment.adapter] += segment.audio.samples
    return {"adapter": max(samples, key=samples.__getitem__)} if samples else {}


def text_of(tokenizer: WhisperTokenizer, tokens: list[int]) -> str:
    """Return the text of tokens in one line, without special tokens."""
    text: str = tokenizer.decode(
        tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    return " ".join(text.split())


def repeats(tokens: Sequence[int]) -> int:
    """Return how often a phrase stands in a row, at most; a high count is a loop.

    >>> repeats([1, 2, 3]), repeats([7, 1, 2, 1, 2, 1, 2, 9]), repeats([])
    (1, 3, 0)
    """
    most = min(len(tokens), 1)
    for width in range(1, len(tokens) // 2 + 1):
        same = 0  # tokens in a row that equal the one a phrase earlier
        for token, earlier in zip(tokens[width:], tokens, strict=False):
            same = same + 1 if token == earlier else 0
            most = max(most, same // width + 1)
    return most

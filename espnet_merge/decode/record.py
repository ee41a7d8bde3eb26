"""What ``text.json`` says of an utterance."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from transformers import WhisperTokenizer

from espnet_merge.decode.identify import Heard
from espnet_merge.decode.journal import Record
from espnet_merge.decode.search import Hypothesis
from espnet_merge.decode.utterances import Utterance
from espnet_merge.speech import AUTO, SAMPLE_RATE
from espnet_merge.whisper.prompt import token_id


class Said(NamedTuple):
    """A piece of an utterance, or the whole, and what was said in which language.

    ``adapter`` is the route's name, of ``routes``; None where there are no routes.
    ``noted`` is the language that was heard, where another was given and it was asked.
    """

    piece: Utterance
    heard: Heard
    hypothesis: Hypothesis
    adapter: str | None = None
    noted: Heard | None = None


def describe(
    utterance: Utterance,
    said: Sequence[Said],
    tokenizer: WhisperTokenizer,
    *,
    timestamps: bool = False,
) -> Record:
    """Return the record of an utterance, its pieces joined in the order of time.

    Args:
        utterance: as it is in the data directory.
        said: the utterance itself, or its pieces in any order; none where nobody
            speaks, or where the utterance has a defect, which the record then names.
        tokenizer: that turns tokens into text.
        timestamps: whether the tokens hold timestamps; if so there are ``segments``,
            as there are of a recording that was cut.
    """
    said = sorted(said, key=lambda one: one.piece.start)
    hypotheses = [one.hypothesis for one in said]
    zero = token_id(tokenizer, "<|0.00|>")
    words = [[t for t in h.tokens if t < zero] for h in hypotheses]
    score = sum((hypothesis.score for hypothesis in hypotheses), 0.0)
    steps = sum(hypothesis.steps for hypothesis in hypotheses)
    record: Record = {
        "text": " ".join(filter(None, (one_line(tokenizer, ids) for ids in words))),
        **_language(utterance, said),
        **_noted(said),
        **_adapter(said),
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
    elif timestamps or [one.piece for one in said] != [utterance]:
        record["segments"] = [
            {
                "start": round(start, 3),
                "end": round(end, 3),
                "language": one.heard.language,
                **_adapter([one]),
                "text": one_line(tokenizer, tokens),
            }
            for one in said
            for start, end, tokens in _segments(one, zero if timestamps else None)
        ]
    return record


def _segments(said: Said, zero: int | None) -> Iterator[tuple[float, float, list[int]]]:
    """Yield times in the recording and the tokens between two timestamps.

    Without timestamps that is the whole piece.

    Args:
        said: a piece.
        zero: id of ``<|0.00|>``; each later one stands for 20 ms more. None where the
            tokens hold no timestamps.
    """
    piece = said.piece
    offset = piece.start / SAMPLE_RATE
    start, words = 0.0, []
    for token in said.hypothesis.tokens:
        if zero is None or token < zero:
            words.append(token)
            continue
        # Whisper may place an end in the silence that was added.
        end = min(0.02 * (token - zero), piece.seconds)
        if words:
            yield offset + start, offset + end, words
        start, words = end, []
    if words:
        yield offset + start, offset + piece.seconds, words


def _language(utterance: Utterance, said: Sequence[Said]) -> Record:
    """Of a recording in pieces, the language of which most is heard."""
    if utterance.language != AUTO:
        return {"language": utterance.language}
    if not said:
        return {"language": None, "language_probability": 0.0}
    language, share = _most([(one.heard, one.piece.samples) for one in said])
    return {"language": language, "language_probability": share}


def _noted(said: Sequence[Said]) -> Record:
    """The same where another language was given, if it was asked for."""
    found = [(one.noted, one.piece.samples) for one in said if one.noted]
    if not found:
        return {}
    language, share = _most(found)
    return {"heard": language, "heard_probability": share}


def _most(found: Sequence[tuple[Heard, int]]) -> tuple[str, float]:
    """Return the language of which most samples are, and its probability."""
    shares: dict[str, float] = defaultdict(float)
    for heard, samples in found:
        shares[heard.language] += heard.probability * samples
    language = max(shares, key=shares.__getitem__)
    total = sum(samples for _, samples in found)
    return language, round(shares[language] / total, 4)


def _adapter(said: Sequence[Said]) -> Record:
    """Of a recording in pieces, the adapter that decoded most of it, if one did."""
    shares: dict[str, int] = defaultdict(int)
    for one in said:
        if one.adapter is not None:
            shares[one.adapter] += one.piece.samples
    return {"adapter": max(shares, key=shares.__getitem__)} if shares else {}


def one_line(tokenizer: WhisperTokenizer, tokens: list[int]) -> str:
    """Return the text of tokens, without the special ones."""
    text: str = tokenizer.decode(
        tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    return " ".join(text.split())


def repeats(tokens: Sequence[int]) -> int:
    """Return how often, at most, some phrase stands in a row: the sign of a loop.

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

"""Labels: what the decoder is told of an utterance, and what it is to say."""

import hashlib
from dataclasses import dataclass, fields
from typing import NamedTuple

from transformers import WhisperTokenizer

from espnet_merge.errors import InputError
from espnet_merge.whisper.fetched import ENGLISH_ALONE
from espnet_merge.whisper.prompt import (
    encode_text,
    languages_known,
    prompt_ids,
    token_id,
)

STEP = 0.02  # seconds from one timestamp to the next
LAST = 1500  # of them: 30 s


@dataclass(frozen=True, kw_only=True)
class LabelConf:
    """How often a label has what Whisper's own had; shares of the utterances in [0, 1].

    Which utterances have it is drawn by their names: the same ones in every epoch, run
    and process. Without any, the decoder learns text and end, given a prompt without
    timestamps.

    Source: Radford et al., *Robust Speech Recognition via Large-Scale Weak
    Supervision*, 2022, Sec. 2.3.
    Departures from it: an utterance is one segment, which begins at 0.00 and ends with
    its audio; Whisper learnt all that follows the previous text, its prompt included.

    Args:
        timestamps: the text stands between two timestamps, which are learnt.
        previous: the text before it comes first, and is not learnt.
        language: the language's token is learnt, too.

    Raises:
        InputError: a value out of range.
    """

    timestamps: float = 0.0
    previous: float = 0.0
    language: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 <= value <= 1:
                raise InputError(
                    f"label_conf.{field.name} must be a share of utterances in [0, 1]; "
                    f"got {value!r}."
                )


class LabelInput(NamedTuple):
    """What a label is made of.

    name: of the utterance.
    text: what is written.
    language: what is spoken, by code.
    task: ``transcribe`` or ``translate``.
    seconds: length of the audio, without silence that is added.
    previous: the text before it, empty where there is none; None: not known.
    """

    name: str
    text: str
    language: str
    task: str
    seconds: float
    previous: str | None = None


class Label(NamedTuple):
    """A label.

    ids: prompt, text and end.
    learnt: whether each of them is learnt, or given.
    """

    ids: list[int]
    learnt: list[bool]


def make_label(
    tokenizer: WhisperTokenizer, utterance: LabelInput, conf: LabelConf, longest: int
) -> Label:
    """Return the label of an utterance.

    Args:
        tokenizer: of the model.
        utterance: what its label is made of.
        conf: what labels have.
        longest: places of the decoder; of the previous text as much is kept as fits,
            and less than half of them, as in openai/whisper.

    Raises:
        InputError: the model has no such language or task, or the previous text is
            asked for and not known.
    """
    timed = _is_drawn("timestamps", conf.timestamps, utterance.name)
    prompt = prompt_ids(tokenizer, utterance.language, utterance.task, timestamps=timed)
    text = encode_text(tokenizer, utterance.text, utterance.language, utterance.task)
    if timed:
        zero = token_id(tokenizer, "<|0.00|>")
        text = [zero, *text, zero + min(round(utterance.seconds / STEP), LAST)]
    learnt_ids = [*text, token_id(tokenizer, "<|endoftext|>")]
    learnt = [False] * len(prompt) + [True] * len(learnt_ids)
    if _is_drawn("language", conf.language, utterance.name):
        if languages_known(tokenizer) == ENGLISH_ALONE:
            raise InputError(
                "label_conf.language must be 0 for an English-only model, whose prompt "
                f"has no language; got {conf.language}: drop it."
            )
        learnt[1] = True
    before: list[int] = []
    if _is_drawn("previous", conf.previous, utterance.name):
        limit = min(longest // 2 - 1, longest - len(prompt) - len(learnt_ids) - 1)
        before = _previous(tokenizer, utterance, limit)
    return Label([*before, *prompt, *learnt_ids], [False] * len(before) + learnt)


def _previous(
    tokenizer: WhisperTokenizer, utterance: LabelInput, limit: int
) -> list[int]:
    if utterance.previous is None:
        raise InputError(
            "label_conf.previous needs the text before each utterance; there is none: "
            "give a table of them as '..._data_path_and_name_and_type FILE,previous,"
            "text', empty where nothing precedes."
        )
    if not utterance.previous.strip() or limit < 1:
        return []
    text = encode_text(
        tokenizer, utterance.previous, utterance.language, utterance.task
    )
    return [token_id(tokenizer, "<|startofprev|>"), *text[-limit:]]


def _is_drawn(what: str, fraction: float, name: str) -> bool:
    drawn = hashlib.sha256(f"{what} {name}".encode()).digest()[:8]
    return int.from_bytes(drawn) < fraction * 2**64

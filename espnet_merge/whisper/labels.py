"""Labels: the tokens that the decoder is given, and those that it learns."""

import hashlib
from dataclasses import dataclass, fields
from typing import NamedTuple

from transformers import WhisperTokenizer

from espnet_merge.errors import InputError
from espnet_merge.whisper.fetched import ENGLISH_ALONE
from espnet_merge.whisper.prompt import (
    encode_text,
    languages_known,
    needed_timestamp,
    prompt_ids,
    token_id,
)

STEP = 0.02  # seconds from one timestamp to the next
LAST = 1500  # index of the last timestamp, 30 s


@dataclass(frozen=True, kw_only=True)
class LabelConf:
    """Fractions of the utterances, in [0, 1], whose label has more than the text.

    A hash of an utterance's name decides, so it has the same label in every epoch, run
    and process. With all fractions 0 the decoder learns text and end token, given a
    prompt without timestamps.

    Source: Radford et al., *Robust Speech Recognition via Large-Scale Weak
    Supervision*, 2022, Sec. 2.3.
    Departures from it: an utterance is one segment, which begins at 0.00 and ends with
    its audio; Whisper learnt everything after the previous text, the prompt included.

    Args:
        timestamps: two timestamps enclose the text, and are learnt.
        previous: the preceding text comes first, and is not learnt.
        language: the language token is learnt as well.

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
    """An utterance to make a label of.

    name: of the utterance.
    text: its reference.
    language: code of the spoken language.
    task: ``transcribe`` or ``translate``.
    seconds: length of the audio, without added silence.
    previous: the preceding text, empty if there is none; None if it is not known.
    """

    name: str
    text: str
    language: str
    task: str
    seconds: float
    previous: str | None = None


class Label(NamedTuple):
    """The token ids of an utterance, with a mask of those that are learnt.

    ids: token ids of prompt, text and end.
    learnt: for each id, whether it is learnt (or else given).
    """

    ids: list[int]
    learnt: list[bool]


def check_tokens(tokenizer: WhisperTokenizer, conf: LabelConf) -> None:
    """Raise ``InputError`` where the tokenizer lacks what labels are made of."""
    token_id(tokenizer, "<|endoftext|>")
    if conf.timestamps:
        needed_timestamp(tokenizer)
    if conf.previous:
        token_id(tokenizer, "<|startofprev|>")


def make_label(
    tokenizer: WhisperTokenizer, utterance: LabelInput, conf: LabelConf, longest: int
) -> Label:
    """Return the label of an utterance.

    Args:
        tokenizer: of the model.
        utterance: what its label is made of.
        conf: fractions of labels with timestamps, previous text, learnt language.
        longest: number of positions of the decoder. The previous text is cut to its
            last tokens, so that it fits and takes less than half of the positions, as
            in openai/whisper.

    Raises:
        InputError: the model has no such language or task, or the previous text is
            needed and not known.
    """
    timed = _is_drawn("timestamps", conf.timestamps, utterance.name)
    prompt = prompt_ids(tokenizer, utterance.language, utterance.task, timestamps=timed)
    text = encode_text(tokenizer, utterance.text, utterance.language, utterance.task)
    if timed:
        zero = needed_timestamp(tokenizer)
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

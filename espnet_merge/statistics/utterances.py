"""Utterances with what was said in them, as the decoder learns to say it."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from transformers import WhisperTokenizer

from espnet_merge.data.table import read_table
from espnet_merge.decoding.utterances import Utterance, read_utterances
from espnet_merge.errors import InputError
from espnet_merge.whisper.prompt import encode_target, languages_known, prompt_ids


class Labelled(NamedTuple):
    """An utterance and its reference.

    ids: prompt, text and end.
    prompt: number of ids before the text.
    """

    utterance: Utterance
    ids: list[int]
    prompt: int


def read_labelled(
    data: Path,
    tokenizer: WhisperTokenizer,
    max_tokens: int,
    language: str | None = None,
    task: str | None = None,
) -> list[Labelled]:
    """Return the utterances in the order of ``wav.scp``.

    Raises:
        InputError: bad data, an utterance without a text, or too long a text.
    """
    known = languages_known(tokenizer)
    utterances = read_utterances(data, language, task, known=known)
    texts = read_table(data / "text")
    labelled = []
    for utterance in utterances:
        name, code, task = utterance.name, utterance.language, utterance.task
        if not texts.get(name):
            raise InputError(
                f"{data / 'text'}: each utterance of wav.scp needs a text; {name} has"
                " none: run espnet-merge filter first."
            )
        ids = encode_target(tokenizer, texts[name], code, task)
        if len(ids) > max_tokens:
            raise InputError(
                f"{data / 'text'}: a text must have at most {max_tokens} tokens, prompt"
                f" and end included; {name} has {len(ids)}: run espnet-merge filter"
                " --model first."
            )
        prompt = len(prompt_ids(tokenizer, code, task))
        labelled.append(Labelled(utterance, ids, prompt))
    return labelled


def spread(labelled: Sequence[Labelled], count: int | None) -> list[Labelled]:
    """Return at most ``count`` utterances, at equal distances; None takes all.

    Data directories are sorted by speaker: the first ones would be of a few.
    """
    taken = len(labelled) if count is None else min(count, len(labelled))
    return [labelled[index * len(labelled) // taken] for index in range(taken)]


def data_digest(labelled: Sequence[Labelled]) -> str:
    """Return the SHA-256 of what is taken as what, whatever the audio holds."""
    lines = [
        (item.utterance.name, item.utterance.samples, item.ids) for item in labelled
    ]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()

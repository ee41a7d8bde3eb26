"""Utterances with their reference texts, encoded as training targets."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from transformers import WhisperTokenizer

from espnet_merge.data.table import read_table
from espnet_merge.decode.utterances import Utterance, read_utterances
from espnet_merge.errors import InputError
from espnet_merge.whisper.prompt import encode_target, languages_known, prompt_ids


class Target(NamedTuple):
    """An utterance with the token ids that the decoder is trained on.

    ids: token ids of prompt, text and end.
    prompt: number of ids in the prompt.
    """

    utterance: Utterance
    ids: list[int]
    prompt: int


def read_targets(
    data: Path,
    tokenizer: WhisperTokenizer,
    max_tokens: int,
    language: str | None = None,
    task: str | None = None,
) -> list[Target]:
    """Return the utterances in the order of ``wav.scp``.

    Raises:
        InputError: bad data, an utterance without a text, or too long a text.
    """
    known = languages_known(tokenizer)
    utterances = read_utterances(data, language, task, known=known)
    texts = read_table(data / "text")
    targets = []
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
        targets.append(Target(utterance, ids, prompt))
    return targets


def data_digest(targets: Sequence[Target]) -> str:
    """Return the SHA-256 of what is taken as what, whatever the audio holds."""
    lines = [
        (item.utterance.name, item.utterance.samples, item.ids) for item in targets
    ]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()

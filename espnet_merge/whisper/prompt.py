"""Whisper's prompt: language and task tokens, per utterance."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from transformers import WhisperTokenizer
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from espnet_merge.data.languages import code_of
from espnet_merge.errors import InputError

TASKS = ("transcribe", "translate")
AUTO = "auto"  # in place of a language: the one that the model hears


def load_tokenizer(model: Path) -> WhisperTokenizer:
    """Return the tokenizer of a Hugging Face Whisper directory.

    Raises:
        InputError: the directory holds no tokenizer.
    """
    if not any((model / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        # Transformers would build an empty tokenizer and not say so.
        raise InputError(
            f"{model}: a Whisper directory needs its tokenizer.json; make one with "
            "'espnet-merge fetch'."
        )
    return WhisperTokenizer.from_pretrained(model, local_files_only=True)


def prompt_ids(
    tokenizer: WhisperTokenizer, language: str, task: str, *, timestamps: bool = False
) -> list[int]:
    """Return ``<|startoftranscript|><|es|><|transcribe|><|notimestamps|>`` as ids.

    Built here and not by the tokenizer's state, which is one per process: in a
    batch every utterance has a language and a task of its own. The last is left out
    where timestamps are asked for.

    Raises:
        InputError: Whisper has no such language or task.
    """
    check_language(language)
    if task not in TASKS:
        raise InputError(f"task must be one of {', '.join(TASKS)}; got {task!r}.")
    tokens = ["startoftranscript", language, task]
    if not timestamps:
        tokens.append("notimestamps")
    return [token_id(tokenizer, f"<|{token}|>") for token in tokens]


def check_language(language: str) -> None:
    """Raise ``InputError`` unless Whisper knows the language code."""
    if not isinstance(language, str):
        raise InputError(
            f"language must be a code in quotes such as 'es'; got {language!r}."
        )
    if language in LANGUAGES:
        return
    if code := code_of(language):
        hint = f"did you mean {code!r}?"
    else:
        near = difflib.get_close_matches(language, LANGUAGES, n=3, cutoff=0.3)
        hint = f"near ones: {', '.join(near) or 'none'}"
    raise InputError(
        f"language must be one of Whisper's {len(LANGUAGES)} codes such as es; got "
        f"{language!r} ({hint})."
    )


def token_id(tokenizer: WhisperTokenizer, token: str) -> int:
    """Return the id of a special token.

    Raises:
        InputError: this tokenizer lacks it (an English-only model, for example).
    """
    index = tokenizer.convert_tokens_to_ids(token)
    if tokenizer.convert_ids_to_tokens(index) != token:
        raise InputError(
            f"the tokenizer must have {token}; it has not: take a multilingual model."
        )
    return int(index)


def encode_target(
    tokenizer: WhisperTokenizer, text: str, language: str, task: str
) -> list[int]:
    """Return prompt, text and end token as ids: what the decoder learns to say."""
    ids: Sequence[int] = tokenizer.encode(text, add_special_tokens=False)
    end = token_id(tokenizer, "<|endoftext|>")
    return [*prompt_ids(tokenizer, language, task), *ids, end]

"""Whisper's prompt: language and task tokens, per utterance."""

import difflib
from pathlib import Path

from transformers import WhisperTokenizer
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from espnet_merge.errors import InputError

TASKS = ("transcribe", "translate")
AUTO = "auto"  # in place of a language: the one that the model hears
# Languages in which Whisper writes no space before a text. By Whisper base, of the
# probability of a first token in the language's script 0.3 to 0.8 % begins with a space
# in these (90 % and more elsewhere, Burmese, Khmer and Tibetan included; Lao 64 %).
# Cantonese, which base lacks, is written as Chinese.
UNSPACED = frozenset({"ja", "th", "yue", "zh"})


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
    names = {name: code for code, name in LANGUAGES.items()}
    if language.lower() in names:
        hint = f"did you mean {names[language.lower()]!r}?"
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


def encode_text(
    tokenizer: WhisperTokenizer, text: str, language: str, task: str
) -> list[int]:
    """Return a text as Whisper writes it: with a space before the first word.

    Without it the first token is one that Whisper gives a probability of 10^-4. Source:
    openai/whisper, which encodes ``" " + text.strip()`` in ``decoding.py``. In
    languages of ``UNSPACED`` Whisper writes none.

    Args:
        tokenizer: of the model.
        text: what is written; blanks around it do not count.
        language: what is spoken.
        task: a translation is English.
    """
    spaced = task == "translate" or language not in UNSPACED
    ids: list[int] = tokenizer.encode(
        " " * spaced + text.strip(), add_special_tokens=False
    )
    return ids


def encode_target(
    tokenizer: WhisperTokenizer, text: str, language: str, task: str
) -> list[int]:
    """Return prompt, text and end token as ids: what the decoder learns to say."""
    ids = encode_text(tokenizer, text, language, task)
    end = token_id(tokenizer, "<|endoftext|>")
    return [*prompt_ids(tokenizer, language, task), *ids, end]

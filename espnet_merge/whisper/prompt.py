"""Whisper's prompt: language and task tokens of each utterance."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from espnet_merge.errors import InputError
from espnet_merge.files import TOKENIZER_JSON, VOCAB_JSON
from espnet_merge.speech import LANGUAGES, TASKS, TRANSLATE, code_of
from espnet_merge.whisper.fetched import (
    ENGLISH_ALONE,
    languages_of,
    lent_tokens,
    likes_of,
)

if TYPE_CHECKING:
    from transformers import WhisperTokenizer

# Languages in which Whisper writes no space before a text. In Whisper base, tokens that
# begin with a space have 0.3 to 0.8 % of the probability of all first tokens in the
# language's script (90 % and more elsewhere, also in Burmese, Khmer and Tibetan; Lao
# 64 %). Cantonese, which base lacks, is treated as Chinese.
UNSPACED = frozenset({"ja", "th", "yue", "zh"})


def load_tokenizer(model: Path) -> WhisperTokenizer:
    """Return the tokenizer of a Hugging Face Whisper directory.

    Raises:
        InputError: the directory holds no tokenizer.
    """
    if not any((model / name).is_file() for name in (TOKENIZER_JSON, VOCAB_JSON)):
        # Transformers would silently build an empty tokenizer.
        raise InputError(
            f"{model}: a Whisper directory needs its tokenizer.json; make one with "
            "'espnet-merge fetch'."
        )
    # Imported late: it takes seconds, and --help does not need it.
    from transformers import WhisperTokenizer

    tokenizer = WhisperTokenizer.from_pretrained(model, local_files_only=True)
    tokenizer.languages = languages_of(model)
    tokenizer.lent = lent_tokens(model)
    tokenizer.likes = likes_of(model)
    return tokenizer


def languages_known(tokenizer: WhisperTokenizer) -> Collection[str]:
    """Return the codes of the languages that the tokenizer's model knows."""
    known: Collection[str] = getattr(tokenizer, "languages", LANGUAGES)
    return known


def prompt_ids(
    tokenizer: WhisperTokenizer, language: str, task: str, *, timestamps: bool = False
) -> list[int]:
    """Return ``<|startoftranscript|><|es|><|transcribe|><|notimestamps|>`` as ids.

    The prompt is built here because a tokenizer has only one language and task at a
    time, but in a batch each utterance has its own. With ``timestamps`` the last token
    is left out. The prompt of an English-only model has neither language nor task.

    Raises:
        InputError: the model has no such language or task.
    """
    known = languages_known(tokenizer)
    check_language(language, known)
    check_task(task, known)
    ids = [token_id(tokenizer, "<|startoftranscript|>")]
    if known != ENGLISH_ALONE:
        ids.append(language_id(tokenizer, language))
        ids.append(token_id(tokenizer, f"<|{task}|>"))
    if not timestamps:
        ids.append(token_id(tokenizer, "<|notimestamps|>"))
    return ids


def language_id(tokenizer: WhisperTokenizer, language: str) -> int:
    """Return the id of the token of a language, its own or the one it borrows.

    Raises:
        InputError: there is none, or the model is English-only.
    """
    if languages_known(tokenizer) == ENGLISH_ALONE:
        raise InputError(
            "languages are told by a model of many; this one knows English alone: "
            "take a multilingual model, or drop language auto."
        )
    lent: dict[str, int] = getattr(tokenizer, "lent", {})
    return lent.get(language) or token_id(tokenizer, f"<|{language}|>")


def known_languages(tokenizer: WhisperTokenizer) -> list[str]:
    """Return the languages that have a token of their own.

    Models before large-v3 lack Cantonese.
    """
    vocabulary, known = tokenizer.get_vocab(), languages_known(tokenizer)
    codes = {code: vocabulary.get(f"<|{code}|>", -1) for code in known}
    codes = {code: index for code, index in codes.items() if index >= 0}
    if not codes or known == ENGLISH_ALONE:
        raise InputError(
            "language auto needs a model of many languages; this tokenizer has no "
            "token of a language: name the --language."
        )
    return sorted(codes, key=codes.__getitem__)


def check_task(task: str, known: Collection[str] = LANGUAGES) -> None:
    """Raise ``InputError`` unless a model can do the task.

    Args:
        task: the requested task.
        known: codes of the model's languages.
    """
    if task not in TASKS:
        raise InputError(f"task must be one of {', '.join(TASKS)}; got {task!r}.")
    if task == TRANSLATE and known == ENGLISH_ALONE:
        raise InputError(
            "task must be transcribe for an English-only model; got 'translate': take "
            "a multilingual model."
        )


def check_language(language: str, known: Collection[str] = LANGUAGES) -> None:
    """Raise ``InputError`` unless a model knows the language code.

    Args:
        language: the requested code.
        known: codes of the model's languages.
    """
    if not isinstance(language, str):
        raise InputError(
            f"language must be a code in quotes such as 'es'; got {language!r}."
        )
    if language in known:
        return
    if known == ENGLISH_ALONE:
        raise InputError(
            f"language must be 'en' for an English-only model; got {language!r}: take "
            "a multilingual model."
        )
    if code := code_of(language):
        hint = f"did you mean {code!r}?"
    else:
        near = difflib.get_close_matches(language, known, n=3, cutoff=0.3)
        hint = f"near ones: {', '.join(near) or 'none'}"
    raise InputError(
        f"language must be one of Whisper's {len(known)} codes such as es; got "
        f"{language!r} ({hint}); 'espnet-merge language' lends a token to another."
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


def first_timestamp(tokenizer: WhisperTokenizer) -> int | None:
    """Return the id of ``<|0.00|>``; None where there are no timestamps.

    Tokenizers of 2022 do not list them, though their models have them: they follow
    ``<|notimestamps|>``, unless another token was added there.
    """
    index = token_id(tokenizer, "<|notimestamps|>") + 1
    listed = tokenizer.convert_ids_to_tokens(index)
    return index if listed in (None, "<|0.00|>") else None


def needed_timestamp(tokenizer: WhisperTokenizer) -> int:
    """Return the id of ``<|0.00|>``.

    Raises:
        InputError: there are no timestamps.
    """
    if (index := first_timestamp(tokenizer)) is None:
        raise InputError(
            "timestamps must follow <|notimestamps|> in the tokenizer; another token "
            "does: do without timestamps, or take the tokenizer of the base."
        )
    return index


def encode_text(
    tokenizer: WhisperTokenizer, text: str, language: str, task: str
) -> list[int]:
    """Return the token ids of a text as Whisper writes it, with a leading space.

    Without the space Whisper gives the first token a probability of about 10^-4.
    Source: openai/whisper, which encodes ``" " + text.strip()`` in ``decoding.py``. In
    the languages of ``UNSPACED``, and in added languages that copy one of them, Whisper
    writes no space.

    Args:
        tokenizer: of the model.
        text: the text; surrounding blanks are ignored.
        language: code of the spoken language.
        task: ``transcribe`` or ``translate``; a translation is English.
    """
    likes: dict[str, str] = getattr(tokenizer, "likes", {})
    spaced = task == TRANSLATE or likes.get(language, language) not in UNSPACED
    ids: list[int] = tokenizer.encode(
        " " * spaced + text.strip(), add_special_tokens=False
    )
    return ids


def encode_target(
    tokenizer: WhisperTokenizer, text: str, language: str, task: str
) -> list[int]:
    """Return the ids of prompt, text and end token: the target of the decoder."""
    ids = encode_text(tokenizer, text, language, task)
    end = token_id(tokenizer, "<|endoftext|>")
    return [*prompt_ids(tokenizer, language, task), *ids, end]


def token_counter(tokenizer: WhisperTokenizer) -> Callable[[str, str, str], int]:
    """Return what counts the tokens of the target of a text, a language and a task."""

    def count(text: str, language: str, task: str) -> int:
        return len(encode_target(tokenizer, text, language, task))

    return count

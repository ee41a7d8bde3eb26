"""Read a model's JSON files, without importing anything slow."""

import json
from pathlib import Path
from typing import Any

from espnet_merge.checkpoint.stored import RECORDS
from espnet_merge.disk.atomic import check_output
from espnet_merge.errors import InputError
from espnet_merge.files import CONFIG_JSON, FETCH_JSON, GENERATION_JSON
from espnet_merge.speech import LANGUAGES

LIKE = "language_like"  # our own key in generation_config.json
ENGLISH_ALONE = frozenset({"en"})
ENGLISH_VOCABULARY = 51864  # tokens of Whisper's English-only models
CT2_FILE = "model.bin"


def is_ct2(path: Path) -> bool:
    """Return whether a directory is CTranslate2's."""
    return (path / CT2_FILE).is_file()


def languages_of(model: Path) -> frozenset[str]:
    """Return the codes of the languages that a Hugging Face directory has tokens for.

    For an English-only model that is ``ENGLISH_ALONE``, whatever tokens it has. If the
    files do not say, it is all of Whisper's languages.
    """
    generation = _read(model / GENERATION_JSON)
    size = _read(model / CONFIG_JSON).get("vocab_size")
    if not generation.get("is_multilingual", size != ENGLISH_VOCABULARY):
        return ENGLISH_ALONE
    return frozenset(_token_ids(generation) or LANGUAGES)


def likes_of(model: Path) -> dict[str, str]:
    """Return, for each added language, the language that its token was copied from."""
    likes: dict[str, str] = _read(model / GENERATION_JSON).get(LIKE) or {}
    return likes


def lent_tokens(model: Path) -> dict[str, int]:
    """Return the token ids of added languages, which are not Whisper's, by code."""
    ids = _token_ids(_read(model / GENERATION_JSON))
    return {code: index for code, index in ids.items() if code not in LANGUAGES}


def _token_ids(generation: dict[str, Any]) -> dict[str, int]:
    ids = generation.get("lang_to_id") or {}
    return {token[2:-2]: index for token, index in ids.items()}


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error}); fetch it again.") from None
    return content


def is_fetched(source: str, output: Path) -> bool:
    """Return whether ``output`` holds ``source`` already.

    Raises:
        InputError: it holds something else.
    """
    if not output.exists():
        return False
    held = "something else" if _is_derived(output) else _source(output)
    if held != source:
        raise InputError(
            f"{output}: exists and holds {held}, not {source}; give another --output "
            "or --overwrite."
        )
    return True


def check_overwrite(output: Path) -> None:
    """Raise ``InputError`` where ``output`` is there, and was not fetched."""
    check_output(output, overwrite=True, mark=FETCH_JSON)
    if _is_derived(output):
        raise InputError(
            f"{output}: was trained or merged, not fetched, and is not overwritten;"
            " remove it yourself."
        )


def _is_derived(directory: Path) -> bool:
    """Return whether a directory with the record of a fetch was made of what it names.

    Earlier versions copied the record into experts and merges.
    """
    return any((directory / name).is_file() for name in RECORDS if name != FETCH_JSON)


def _source(output: Path) -> str:
    try:
        return str(json.loads((output / FETCH_JSON).read_text())["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return "something else"

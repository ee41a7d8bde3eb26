"""Records of any format as rows of one form, with what is dropped on the way."""

import math
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from espnet_merge.corpora.formats import NEEDED, Format, Record
from espnet_merge.corpora.settings import Import
from espnet_merge.corpora.splits import ABBREVIATED, is_own, split_of
from espnet_merge.data.sets import clean
from espnet_merge.errors import InputError
from espnet_merge.speech import TASKS, TRANSCRIBE, code_of


@dataclass(frozen=True)
class Row:
    """An utterance of a corpus.

    Args:
        where: its place in the corpus, for messages.
        audio: a file, a command that ends with ``|``, or a name of an embedded
            recording, which has a NUL.
        text: what is said.
        key: name that the corpus gives it; may be empty.
        speaker: likewise.
        language: Whisper's code.
        task: of Whisper's.
        split: ``train``, ``valid`` or ``test``, if the corpus says so and is asked;
            else empty.
        start: in the recording, in seconds; None for its begin.
        end: likewise; None for its end.
    """

    where: str
    audio: str
    text: str
    key: str
    speaker: str
    language: str
    task: str
    split: str
    start: float | None
    end: float | None


class UnusableError(Exception):
    """A record is no utterance; the message says why in a few words."""


def read_rows(
    asked: Import, form: Format, known: Collection[str], dropped: dict[str, list[str]]
) -> list[Row]:
    """Return the rows of the corpus.

    Args:
        asked: what is imported.
        form: its format.
        known: codes of the languages of the model that is going to be used.
        dropped: reason -> places; filled with what is no utterance.

    Raises:
        InputError: a file is broken, there are no rows, a column is not there, or
            folders name several splits.
    """
    columns = {**form.columns, **asked.named}
    if asked.lang and _code(asked.lang, known) is None:
        raise InputError(
            f"lang must be a language that the model knows, as es; got {asked.lang!r}: "
            "correct it, or name by --model one that knows it."
        )
    sources = [Path(source) for source in asked.source]
    seen: dict[str, None] = {}
    rows = []
    for record in form.read(sources):
        seen.update(dict.fromkeys(record.values))
        try:
            rows.append(_row(record, columns, asked, known))
        except UnusableError as why:
            dropped.setdefault(str(why), []).append(record.where)
    _check_columns(asked, columns, seen)
    return rows


def sentence(text: str) -> str:
    """Return what two texts have in common that are read alike.

    >>> sentence("¿Qué tal?") == sentence("qué  TAL")
    True
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(
        letter for letter in folded if unicodedata.category(letter)[0] in "LMN"
    )


def _check_columns(
    asked: Import, columns: Mapping[str, str], seen: Iterable[str]
) -> None:
    known = [*seen]
    where = asked.source[0]
    if not known:
        raise InputError(f"{where}: must have rows; it has none: name another file.")
    needed = dict.fromkeys([*NEEDED, *asked.named])
    if asked.lang is None:
        needed["language"] = None
    for field in needed:
        if columns[field] not in known:
            other = ", or give --lang" if field == "language" else ""
            raise InputError(
                f"{where}: must have a column {columns[field]!r}; it has "
                f"{', '.join(known)}: name the right one by --{field}-column{other}."
            )


def _row(
    record: Record, columns: Mapping[str, str], asked: Import, known: Collection[str]
) -> Row:
    if record.defect:
        raise UnusableError(record.defect)
    said = {field: record.values.get(name) for field, name in columns.items()}
    text = clean(_text(said, "text"))
    if not text:
        raise UnusableError("no text")
    start, end = _times(said)
    return Row(
        record.where,
        _audio(said, Path(asked.audio_root) if asked.audio_root else record.root),
        text,
        _text(said, "id"),
        _text(said, "speaker"),
        _language(asked.lang or _text(said, "language"), known),
        asked.task or _task(said),
        _split(said, record) if is_own(asked.split) else "",
        start,
        end,
    )


def _text(said: Mapping[str, Any], field: str) -> str:
    value = said.get(field)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = str(value).strip()
    # A lone surrogate, as JSON can hold, has no UTF-8; NUL is text to nobody.
    lone = any("\ud800" <= letter <= "\udfff" for letter in text)
    if isinstance(value, dict | list) or lone or ("\0" in text and field != "audio"):
        raise UnusableError(f"{field} is no text")
    return text


def _audio(said: Mapping[str, Any], root: Path) -> str:
    """Return an absolute path; commands and embedded recordings as they are."""
    path = _text(said, "audio")
    if not path:
        raise UnusableError("no recording")
    if path.endswith("|") or "\0" in path:
        return path
    if path.splitlines() != [path]:
        raise UnusableError("path of two lines")
    return str((root / path).absolute())


def _code(language: str, known: Collection[str]) -> str | None:
    code = language if language in known else code_of(language)
    return code if code in known else None


def _language(language: str, known: Collection[str]) -> str:
    if not language:
        raise UnusableError("no language")
    if (code := _code(language, known)) is None:
        raise UnusableError(f"unknown language {language}")
    return code


def _task(said: Mapping[str, Any]) -> str:
    task = _text(said, "task")
    return task if task in TASKS else TRANSCRIBE


def _split(said: Mapping[str, Any], record: Record) -> str:
    """Return the split that a corpus gives a row: by a column, or else by names."""
    value = _text(said, "split")
    if split := ABBREVIATED.get(value.lower()) or split_of(value):
        return split
    for path in record.near:
        splits = dict.fromkeys(filter(None, map(split_of, Path(path).parts)))
        if len(splits) > 1:
            raise InputError(
                f"{record.where}: folders must name one split; {path} names "
                f"{' and '.join(splits)}: name the folder below as SOURCE, rename it, "
                "or give --split-column."
            )
        if splits:
            return next(iter(splits))
    return ""


def _times(said: Mapping[str, Any]) -> tuple[float | None, float | None]:
    start, end, duration = (_seconds(said, f) for f in ("start", "end", "duration"))
    if end is None and duration is not None:
        end = (start or 0.0) + duration
    if end is not None and end <= (start or 0.0):
        raise UnusableError("ends before it starts")
    return start or None, end


def _seconds(said: Mapping[str, Any], field: str) -> float | None:
    text = _text(said, field)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise UnusableError(f"{field} is no number of seconds") from None
    if not 0 <= value < math.inf:
        raise UnusableError(f"{field} is no number of seconds")
    return value

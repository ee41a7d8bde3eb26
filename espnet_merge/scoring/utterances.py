"""References beside hypotheses, checked to be the same utterances."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from espnet_merge.data.languages import read_languages
from espnet_merge.data.table import read_table
from espnet_merge.errors import InputError
from espnet_merge.files import TEXT_JSON, UTT2LANG, UTT2SPK, UTT2TASK
from espnet_merge.scoring.normalize import rule_for
from espnet_merge.speech import AUTO, TRANSCRIBE, TRANSLATE


class Utterance(NamedTuple):
    """What was said beside what was recognised."""

    name: str
    speaker: str
    # Of the text: a translation is English, whatever language was spoken.
    language: str
    reference: str
    hypothesis: str
    # What was spoken, and to do with it.
    spoken: str = ""
    task: str = TRANSCRIBE


class Decoded(NamedTuple):
    """How hypotheses were decoded, as far as it is known.

    mode: the settings.
    languages: that the model heard, by utterance; none where it was told them.
    not_decoded: utterances without usable audio, by what is wrong with it.
    """

    mode: dict[str, Any]
    languages: dict[str, str]
    not_decoded: Counter[str]


def read_utterances(reference: Path, hypothesis: Path) -> list[Utterance]:
    """Pair the texts of a Kaldi data directory and a decoding directory.

    Args:
        reference: holds ``text`` and ``utt2lang``, and may hold ``utt2spk`` and
            ``utt2task``.
        hypothesis: holds ``text`` with the same ids; a hypothesis may be empty.

    Raises:
        InputError: a file is missing or broken, or the ids are not the same.
    """
    said = read_table(reference / "text")
    heard = read_table(hypothesis / "text")
    _check_ids(reference / "text", said, hypothesis / "text", heard)
    languages = read_languages(reference / UTT2LANG)
    _check_ids(reference / "text", said, reference / UTT2LANG, languages)
    speakers = _read_optional(reference / UTT2SPK)
    tasks = _read_optional(reference / UTT2TASK)
    return [
        Utterance(
            name,
            speakers.get(name, name),
            "en" if tasks.get(name) == TRANSLATE else languages[name],
            text,
            heard[name],
            languages[name],
            tasks.get(name, TRANSCRIBE),
        )
        for name, text in said.items()
    ]


def read_decoded(hypothesis: Path) -> Decoded:
    """Return what ``text.json`` says of the decoding.

    Raises:
        InputError: ``text.json`` is there but is not what ``decode`` writes.
    """
    path = hypothesis / TEXT_JSON
    if not path.exists():
        return Decoded({}, {}, Counter())
    try:
        content = json.loads(path.read_bytes(), object_hook=_without_text)
    except ValueError as error:
        raise InputError(
            f"{path}: must be JSON, as 'espnet-merge decode' writes; {error}: decode "
            "again, or remove the file."
        ) from error
    mode = _object(path, content, "mode")
    heard = mode.get("language") == AUTO
    records = {}
    if heard or "utterances" in content:
        records = _object(path, content, "utterances")
    languages = {
        name: str(record["language"] or "none")
        for name, record in records.items()
        if heard and "language" in record
    }
    silent = (r["not_decoded"] for r in records.values() if "not_decoded" in r)
    return Decoded(mode, languages, Counter(silent))


def normalized(utterances: Iterable[Utterance], normalizer: str) -> list[Utterance]:
    """Return the utterances with both texts after the rule of their language."""
    changed = []
    for utterance in utterances:
        rule = rule_for(normalizer, utterance.language)
        changed.append(
            utterance._replace(
                reference=rule(utterance.reference),
                hypothesis=rule(utterance.hypothesis),
            )
        )
    return changed


def _without_text(record: dict[str, Any]) -> dict[str, Any]:
    """Keep but a little of an utterance: there may be a million of them."""
    if "text" not in record:
        return record
    return {key: record[key] for key in ("language", "not_decoded") if key in record}


def _object(path: Path, content: object, key: str) -> dict[str, Any]:
    value = content.get(key) if isinstance(content, dict) else None
    if not isinstance(value, dict):
        raise InputError(
            f"{path}: must hold a JSON object {key!r}, as 'espnet-merge decode' "
            f"writes; got {value!r}: decode again, or remove the file."
        )
    return value


def _read_optional(path: Path) -> dict[str, str]:
    return read_table(path) if path.exists() else {}


def _check_ids(
    left: Path, ours: dict[str, str], right: Path, theirs: dict[str, str]
) -> None:
    if missing := [name for name in ours if name not in theirs]:
        _refuse(right, f"must have every id of {left}; lacks", missing)
    if extra := [name for name in theirs if name not in ours]:
        _refuse(right, f"must have no id that {left} lacks; has", extra)


def _refuse(path: Path, rule: str, names: Sequence[str]) -> None:
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    raise InputError(f"{path}: {rule} {len(names)} ({shown}): take the same data set.")

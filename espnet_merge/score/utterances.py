"""Pairs of reference and hypothesis, checked to be of the same utterances."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from espnet_merge.data.languages import read_languages
from espnet_merge.data.table import read_table
from espnet_merge.errors import InputError
from espnet_merge.files import TEXT_JSON, UTT2LANG, UTT2SPK, UTT2TASK
from espnet_merge.score.normalize import rule_for
from espnet_merge.speech import AUTO, TRANSCRIBE, TRANSLATE


class ScoredUtterance(NamedTuple):
    """An utterance with its reference and its hypothesis."""

    name: str
    speaker: str
    # Language of the text: a translation is English, whatever language was spoken.
    language: str
    reference: str
    hypothesis: str
    # Language that was spoken, and the task.
    spoken: str = ""
    task: str = TRANSCRIBE


class Decoded(NamedTuple):
    """How hypotheses were decoded, as far as ``text.json`` says.

    mode: the settings of decoding.
    languages: language that the model identified, by utterance; empty if the languages
        were given.
    noted: language that the model would have identified, by utterance, where it was
        given and this was noted.
    not_decoded: number of utterances without usable audio, by reason.
    routes: name of the adapter, by utterance; empty if there was no choice.
    """

    mode: dict[str, Any]
    languages: dict[str, str]
    noted: dict[str, str]
    not_decoded: Counter[str]
    routes: dict[str, str]


def read_utterances(reference: Path, hypothesis: Path) -> list[ScoredUtterance]:
    """Pair the texts of a Kaldi data directory and a decoding directory.

    Args:
        reference: as for ``read_references``.
        hypothesis: holds ``text`` with the same ids; a hypothesis may be empty.

    Raises:
        InputError: a file is missing or broken, or the ids differ.
    """
    utterances = read_references(reference)
    hypotheses = read_table(hypothesis / "text")
    references = {utterance.name: utterance.reference for utterance in utterances}
    _check_ids(reference / "text", references, hypothesis / "text", hypotheses)
    return [u._replace(hypothesis=hypotheses[u.name]) for u in utterances]


def read_references(reference: Path) -> list[ScoredUtterance]:
    """Return the utterances of a Kaldi data directory, with empty hypotheses.

    Args:
        reference: holds ``text`` and ``utt2lang``, and may hold ``utt2spk`` and
            ``utt2task``.

    Raises:
        InputError: a file is missing or broken, or the ids differ.
    """
    references = read_table(reference / "text")
    languages = read_languages(reference / UTT2LANG)
    _check_ids(reference / "text", references, reference / UTT2LANG, languages)
    speakers = _read_optional(reference / UTT2SPK)
    tasks = _read_optional(reference / UTT2TASK)
    return [
        ScoredUtterance(
            name,
            speakers.get(name, name),
            "en" if tasks.get(name) == TRANSLATE else languages[name],
            text,
            "",
            languages[name],
            tasks.get(name, TRANSCRIBE),
        )
        for name, text in references.items()
    ]


def read_decoded(hypothesis: Path) -> Decoded:
    """Read from ``text.json`` how the hypotheses were decoded.

    Raises:
        InputError: ``text.json`` is there but is not what ``decode`` writes.
    """
    path = hypothesis / TEXT_JSON
    if not path.exists():
        return Decoded({}, {}, {}, Counter(), {})
    try:
        content = json.loads(path.read_bytes(), object_hook=_without_text)
    except ValueError as error:
        raise InputError(
            f"{path}: must be JSON, as 'espnet-merge decode' writes; {error}: decode "
            "again, or remove the file."
        ) from error
    mode = _object(path, content, "mode")
    identifies = mode.get("language") == AUTO
    records = {}
    if identifies or "utterances" in content:
        records = _object(path, content, "utterances")
    languages = {
        name: str(record["language"] or "none")
        for name, record in records.items()
        if identifies and "language" in record
    }
    noted = {name: str(r["heard"]) for name, r in records.items() if "heard" in r}
    silent = (r["not_decoded"] for r in records.values() if "not_decoded" in r)
    routes = {name: str(r["adapter"]) for name, r in records.items() if "adapter" in r}
    return Decoded(mode, languages, noted, Counter(silent), routes)


def normalized(
    utterances: Iterable[ScoredUtterance], normalizer: str
) -> list[ScoredUtterance]:
    """Return the utterances, both texts normalised by the rule of their language."""
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
    """Drop most keys of an utterance's record: there may be a million of them."""
    if "text" not in record:
        return record
    kept = ("language", "heard", "not_decoded", "adapter")
    return {key: record[key] for key in kept if key in record}


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

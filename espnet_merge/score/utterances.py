"""References beside hypotheses, checked to be the same utterances."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from espnet_merge.data.table import read_table
from espnet_merge.errors import InputError
from espnet_merge.score.normalize import rule_for


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
    task: str = "transcribe"


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
    languages = read_table(reference / "utt2lang")
    _check_ids(reference / "text", said, reference / "utt2lang", languages)
    speakers = _read_optional(reference / "utt2spk")
    tasks = _read_optional(reference / "utt2task")
    return [
        Utterance(
            name,
            speakers.get(name, name),
            "en" if tasks.get(name) == "translate" else languages[name],
            text,
            heard[name],
            languages[name],
            tasks.get(name, "transcribe"),
        )
        for name, text in said.items()
    ]


def read_mode(hypothesis: Path) -> dict[str, Any]:
    """Return how the hypotheses were decoded: ``mode`` in ``text.json``, or nothing.

    Raises:
        InputError: ``text.json`` is there but is not what ``decode`` writes.
    """
    return _read_decoded(hypothesis / "text.json", "mode")


def read_languages(hypothesis: Path) -> dict[str, str]:
    """Return the language that the model heard in each utterance.

    Nothing where it was told the languages: ``text.json`` says that it was to find
    them, with ``auto`` for the language in ``mode``.

    Raises:
        InputError: ``text.json`` is there but is not what ``decode`` writes.
    """
    if read_mode(hypothesis).get("language") != "auto":
        return {}
    utterances = _read_decoded(hypothesis / "text.json", "utterances")
    return {
        name: str(record["language"])
        for name, record in utterances.items()
        if "language" in record
    }


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


def _read_decoded(path: Path, key: str) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        value = json.loads(path.read_bytes())[key]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path}: must be a JSON object with {key!r}, as 'espnet-merge decode' "
            f"writes; got {type(error).__name__}: decode again, or remove the file."
        ) from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: {key!r} must be a JSON object; got {value!r}.")
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

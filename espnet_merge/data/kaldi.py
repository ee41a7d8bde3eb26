"""Kaldi data directories of this project: written whole, sorted as Kaldi sorts."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from espnet_merge.checkpoint.atomic import whole_directory
from espnet_merge.data.table import write_table


@dataclass(frozen=True)
class Utterance:
    """One line of every file of a data directory."""

    name: str
    audio: str
    text: str
    speaker: str
    language: str
    task: str = "transcribe"


def write_kaldi(utterances: Iterable[Utterance], output: Path) -> None:
    """Write a data directory with ``utt2lang`` and ``utt2task``."""
    # The order of the bytes, as of LC_ALL=C: Kaldi's tools refuse another one.
    ordered = sorted(utterances, key=lambda utterance: utterance.name.encode())
    columns = {
        "wav.scp": {u.name: u.audio for u in ordered},
        "text": {u.name: u.text for u in ordered},
        "utt2spk": {u.name: u.speaker for u in ordered},
        "spk2utt": by_speaker({u.name: u.speaker for u in ordered}),
        "utt2lang": {u.name: u.language for u in ordered},
        "utt2task": {u.name: u.task for u in ordered},
    }
    with whole_directory(output) as part:
        for name, table in columns.items():
            write_table(part / name, table)


def by_speaker(utt2spk: dict[str, str]) -> dict[str, str]:
    """Return ``spk2utt`` of ``utt2spk``.

    Example:
        >>> by_speaker({"a-1": "a", "a-2": "a", "b-1": "b"})
        {'a': 'a-1 a-2', 'b': 'b-1'}
    """
    groups: dict[str, list[str]] = {}
    for name, speaker in utt2spk.items():
        groups.setdefault(speaker, []).append(name)
    return {s: " ".join(groups[s]) for s in sorted(groups, key=str.encode)}

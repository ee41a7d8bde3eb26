"""Kaldi data directories of this project: read with checks, written whole."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from espnet_merge.data.table import read_table, write_table
from espnet_merge.disk.atomic import whole_directory
from espnet_merge.errors import InputError

# File name -> utterance -> value.
Tables = dict[str, dict[str, str]]


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
    listed = list(utterances)
    tables = {
        "wav.scp": {u.name: u.audio for u in listed},
        "text": {u.name: u.text for u in listed},
        "utt2spk": {u.name: u.speaker for u in listed},
        "utt2lang": {u.name: u.language for u in listed},
        "utt2task": {u.name: u.task for u in listed},
    }
    with whole_directory(output) as part:
        write_tables(tables, part)


def write_tables(tables: Mapping[str, Mapping[str, str]], directory: Path) -> None:
    """Write tables, and ``spk2utt`` with them, sorted as Kaldi's tools demand."""
    tables = {**tables, "spk2utt": by_speaker(tables["utt2spk"])}
    for name, table in tables.items():
        # The order of the bytes, as of LC_ALL=C.
        write_table(directory / name, {n: table[n] for n in sorted(table, key=_bytes)})


def by_speaker(utt2spk: Mapping[str, str]) -> dict[str, str]:
    """Return ``spk2utt`` of ``utt2spk``.

    Example:
        >>> by_speaker({"a-2": "a", "a-1": "a", "b-1": "b"})
        {'a': 'a-1 a-2', 'b': 'b-1'}
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(utt2spk, key=_bytes):
        groups.setdefault(utt2spk[name], []).append(name)
    return {speaker: " ".join(names) for speaker, names in groups.items()}


def read_kaldi(data: Path) -> Tables:
    """Return ``wav.scp``, ``text`` and every ``utt2*`` of a data directory.

    Without ``utt2spk`` every utterance is a speaker of its own, without ``utt2task``
    all are to be transcribed. A table may lack utterances of ``wav.scp``.

    Raises:
        InputError: a file is missing or broken, or audio is not one file an utterance.
    """
    for name in ("wav.scp", "text", "utt2lang"):
        if not (data / name).is_file():
            raise InputError(
                f"{data}: a data directory must hold wav.scp, text and utt2lang; it "
                f"has no {name}."
            )
    files = [data / "wav.scp", data / "text", *sorted(data.glob("utt2*"))]
    tables = {file.name: read_table(file) for file in files}
    wavs = tables["wav.scp"]
    commands = [name for name, audio in wavs.items() if audio.endswith("|")]
    if commands or (data / "segments").exists():
        what = f"{commands[0]} is a command" if commands else "it has segments"
        raise InputError(
            f"{data}: audio must be one file an utterance; {what}: run "
            "scripts/audio/format_wav_scp.sh first."
        )
    tables.setdefault("utt2spk", {name: name for name in wavs})
    tables.setdefault("utt2task", dict.fromkeys(wavs, "transcribe"))
    return tables


def _bytes(name: str) -> bytes:
    return name.encode()

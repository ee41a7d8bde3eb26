"""Read and write Kaldi data directories, with the tables that this project adds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from espnet_merge.data.languages import read_languages
from espnet_merge.data.table import read_table, write_table
from espnet_merge.disk.atomic import whole_directory
from espnet_merge.errors import InputError
from espnet_merge.files import UTT2LANG, UTT2SPK, UTT2TASK, WAV_SCP
from espnet_merge.speech import TRANSCRIBE

# File name -> utterance -> value.
Tables = dict[str, dict[str, str]]

# Tables in which each utterance must have a line.
COLUMNS = ("text", UTT2SPK, UTT2LANG, UTT2TASK)
NO_AUDIO = "None"  # in wav.scp, as in ESPnet: the utterance has no usable audio
DEFECTS = "utt2defect"  # why it has none


@dataclass(frozen=True)
class KaldiUtterance:
    """An utterance of a Kaldi data directory: its line in every table."""

    name: str
    audio: str
    text: str
    speaker: str
    language: str
    task: str = TRANSCRIBE


def write_kaldi(utterances: Iterable[KaldiUtterance], output: Path) -> None:
    """Write a data directory with ``utt2lang`` and ``utt2task``."""
    listed = list(utterances)
    tables = {
        WAV_SCP: {u.name: u.audio for u in listed},
        "text": {u.name: u.text for u in listed},
        UTT2SPK: {u.name: u.speaker for u in listed},
        UTT2LANG: {u.name: u.language for u in listed},
        UTT2TASK: {u.name: u.task for u in listed},
    }
    with whole_directory(output) as part:
        write_tables(tables, part)


def write_tables(tables: Mapping[str, Mapping[str, str]], directory: Path) -> None:
    """Write tables and ``spk2utt``, sorted as Kaldi's tools demand.

    ``utt2defect`` is not written if no utterance has a defect.
    """
    tables = {**tables, "spk2utt": by_speaker(tables[UTT2SPK])}
    for name, table in tables.items():
        if table or name != DEFECTS:
            # Sorted by bytes, as with LC_ALL=C.
            ordered = {n: table[n] for n in sorted(table, key=_bytes)}
            write_table(directory / name, ordered)


def by_speaker(utt2spk: Mapping[str, str]) -> dict[str, str]:
    """Return ``spk2utt``, the inverse of ``utt2spk``.

    Example:
        >>> by_speaker({"a-2": "a", "a-1": "a", "b-1": "b"})
        {'a': 'a-1 a-2', 'b': 'b-1'}
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(utt2spk, key=_bytes):
        groups.setdefault(utt2spk[name], []).append(name)
    return {speaker: " ".join(names) for speaker, names in groups.items()}


def read_kaldi(data: Path, *, with_texts: bool = True) -> Tables:
    """Return ``wav.scp``, ``text`` and every ``utt2*`` of a data directory.

    If there is a ``segments`` file it is one of the tables, and ``wav.scp`` then lists
    recordings, not utterances. Languages that Whisper knows are given by its codes.
    Without ``utt2spk`` every utterance has its own speaker; without ``utt2task`` the
    task of all is to transcribe. A table may lack utterances.

    Args:
        data: the directory.
        with_texts: whether there must be a ``text``; one that is there is read anyhow.

    Raises:
        InputError: a file is missing or broken.
    """
    needed = (WAV_SCP, *(["text"] if with_texts else []), UTT2LANG)
    for name in needed:
        if not (data / name).is_file():
            raise InputError(
                f"{data}: a data directory must hold {', '.join(needed[:-1])} and "
                f"{needed[-1]}; it has no {name}."
            )
    files = [data / WAV_SCP, data / "text", *sorted(data.glob("utt2*"))]
    if (data / "segments").exists():
        files.append(data / "segments")
    tables = {file.name: read_table(file) for file in files if file.is_file()}
    tables[UTT2LANG] = read_languages(data / UTT2LANG)
    names = listed(tables)
    tables.setdefault(UTT2SPK, {name: name for name in names})
    tables.setdefault(UTT2TASK, dict.fromkeys(names, TRANSCRIBE))
    return tables


def listed(tables: Tables) -> dict[str, str]:
    """Return the table that lists all utterances: ``segments``, else ``wav.scp``."""
    return tables.get("segments", tables[WAV_SCP])


def of_utterances(tables: Tables) -> Tables:
    """Return the tables that are indexed by utterance, except those of the audio."""
    names = listed(tables)
    return {
        file: {name: table[name] for name in names if name in table}
        for file, table in tables.items()
        if file not in (WAV_SCP, "segments")
    }


def read_formatted(data: Path) -> Tables:
    """Return the tables of a directory with one file, or ``None``, per utterance.

    Raises:
        InputError: a file is missing or broken, or there are segments or commands.
    """
    tables = read_kaldi(data)
    commands = [n for n, audio in tables[WAV_SCP].items() if audio.endswith("|")]
    if commands or "segments" in tables:
        what = f"{commands[0]} is a command" if commands else "it has segments"
        raise InputError(
            f"{data}: audio must be one file an utterance; {what}: run espnet-merge "
            "format first."
        )
    return tables


def check_columns(data: Path, tables: Tables) -> None:
    """Raise ``InputError`` unless those of ``COLUMNS`` that are read list all."""
    names = listed(tables)
    for column in filter(tables.__contains__, COLUMNS):
        lacking = [name for name in names if name not in tables[column]]
        if lacking:
            _refuse(data / column, "have a line for each utterance; lacks", lacking)
        extra = [name for name in tables[column] if name not in names]
        if extra:
            _refuse(data / column, "list utterances with audio alone; has", extra)


def _refuse(path: Path, rule: str, names: list[str]) -> None:
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    raise InputError(
        f"{path}: must {rule} {len(names)} ({shown}): correct it, or "
        "let utils/fix_data_dir.sh drop them."
    )


def _bytes(name: str) -> bytes:
    return name.encode()

"""Check data directories before they are used, without reading the audio."""

import re
import subprocess
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from espnet_merge.data.kaldi import NO_AUDIO, Tables, check_columns, listed, read_kaldi
from espnet_merge.data.recordings import by_recording, is_command
from espnet_merge.errors import InputError
from espnet_merge.files import UTT2LANG, UTT2SPK, UTT2TASK, WAV_SCP
from espnet_merge.speech import LANGUAGES, TASKS

# The program that a command begins with; no match if the command is more complex.
_PROGRAM = re.compile(r"\s*([\w.+/-]+)(?=[\s|])")


def validate(directories: Sequence[Path], known: Collection[str] = LANGUAGES) -> None:
    """Check data directories whose utterances are going to be used together.

    Args:
        directories: Kaldi data directories.
        known: codes of the languages of the model that is going to be used.

    Raises:
        InputError: a table is missing or broken, tables list different utterances, the
            model does not know a language or task, audio is missing, two directories
            have an utterance of the same name, or the speakers of several sort
            otherwise than their utterances.
    """
    owners: dict[str, Path] = {}
    speakers: dict[str, str] = {}
    for data in directories:
        tables = read_kaldi(data)
        check_columns(data, tables)
        _check_values(data, tables, known)
        _check_audio(data / WAV_SCP, by_recording(data, tables))
        for name in listed(tables):
            if name in owners:
                raise InputError(
                    f"{data}: utterances that are used together must have names of "
                    f"their own; {name} is in {owners[name]}, too: begin the names "
                    "with that of the set."
                )
            owners[name] = data
        speakers |= tables[UTT2SPK]
    if len(directories) > 1:
        _check_order(speakers)


def _check_order(speakers: dict[str, str]) -> None:
    """Refuse what Kaldi's ``combine_data.sh`` fails on, after the base was fetched."""
    by_speaker = sorted(speakers, key=lambda name: (speakers[name], name))
    for name, other in zip(sorted(speakers), by_speaker, strict=True):
        if name != other:
            raise InputError(
                "sets that are used together must list their utterances in one order, "
                f"by name and by speaker; {name} and {other} (speakers "
                f"{speakers[name]} and {speakers[other]}) have two orders: begin the "
                "names of utterances with their speaker's."
            )


def _check_values(data: Path, tables: Tables, known: Collection[str]) -> None:
    whose = "Whisper" if known == LANGUAGES else "the model"
    example = "es" if "es" in known else min(known)
    rules = {
        UTT2LANG: (f"a language that {whose} knows, as {example}", known),
        UTT2TASK: (" or ".join(TASKS), TASKS),
    }
    for column, (rule, allowed) in rules.items():
        for name, value in tables[column].items():
            if value not in allowed:
                raise InputError(
                    f"{data / column}: {name}: must be {rule}; got {value!r}."
                )


def _check_audio(scp: Path, recordings: Iterable[str]) -> None:
    if not recordings:
        raise InputError(f"{scp}: at least one utterance is needed; the file is empty.")
    programs = set()
    missing = []
    for audio in recordings:
        if is_command(audio):
            found = _PROGRAM.match(audio)
            programs |= {found[1]} if found else set()
        elif audio != NO_AUDIO and not Path(audio).is_file():
            missing.append(audio)
    for program in sorted(programs):
        # Let the shell look it up, since it has builtin commands as well.
        words = ["sh", "-c", 'command -v -- "$0"', program]
        if subprocess.run(words, stdout=subprocess.DEVNULL, check=False).returncode:
            raise InputError(
                f"{scp}: a command must be there to run; {program} is not: install it, "
                "or write the recordings into files."
            )
    if missing:
        raise InputError(f"{scp}: {_missing(missing)}")


def _missing(files: list[str]) -> str:
    first = files[0]
    if re.search(r"\.ark:\d+$", first):
        return (
            "audio must be files, or commands that write one; an archive is not read: "
            f"write 'wav-copy {first} - |' with Kaldi's program, or make WAV files."
        )
    return (
        f"every recording must be there; {len(files)} are not, as {first}: restore "
        "them, or remove their utterances."
    )

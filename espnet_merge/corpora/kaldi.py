"""Kaldi's data directories, those of ESPnet and of this package among them.

Relative paths begin at the current directory, as Kaldi's own programs take them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from espnet_merge.corpora.formats import FIELDS, Format, Record, columns
from espnet_merge.data.table import read_table
from espnet_merge.errors import InputError
from espnet_merge.files import UTT2LANG, UTT2SPK, UTT2TASK, WAV_SCP

# Field -> table that may be there.
TABLES = {"text": "text", "speaker": UTT2SPK, "language": UTT2LANG, "task": UTT2TASK}


def read(sources: Sequence[Path]) -> Iterator[Record]:
    """Yield the utterances of directories.

    Raises:
        InputError: wav.scp is not there, a table is broken, or a segment has no
            recording.
    """
    for source in sources:
        if not (source / WAV_SCP).is_file():
            raise InputError(
                f"{source}: must be a Kaldi data directory; it has no {WAV_SCP}: name "
                "the directory that has."
            )
        for name, values in _utterances(source):
            yield Record(f"{source}: {name}", (source.name,), Path(), values)


def _utterances(source: Path) -> Iterator[tuple[str, dict[str, str]]]:
    recordings = read_table(source / WAV_SCP)
    tables = {
        field: read_table(source / file) if (source / file).is_file() else {}
        for field, file in TABLES.items()
    }
    segments = source / "segments"
    places = {name: [name] for name in recordings}
    if segments.is_file():
        places = {name: line.split() for name, line in read_table(segments).items()}
    for name, (recording, *times) in places.items():
        if recording not in recordings:
            raise InputError(
                f"{segments}: {name}: a recording must stand in wav.scp; {recording} "
                "does not: add it, or remove the segment."
            )
        # -1 is Kaldi's end of the recording.
        ends = ["" if time == "-1" else time for time in times]
        values = dict(zip(("start", "end"), ends, strict=False))
        values |= {f: table[name] for f, table in tables.items() if name in table}
        yield name, {"id": name, "audio": recordings[recording], **values}


FORMAT = Format(read, columns(*FIELDS))

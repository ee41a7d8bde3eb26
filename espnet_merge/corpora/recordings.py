"""The recordings of a corpus: looked at, converted if need be, compared with rows."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from espnet_merge.corpora.rows import Row
from espnet_merge.data.audio import PLAIN, AudioError, read_header
from espnet_merge.data.kaldi import NO_AUDIO
from espnet_merge.data.recordings import OVERSHOOT, is_command
from espnet_merge.data.sets import converted
from espnet_merge.speech import SAMPLE_RATE
from espnet_merge.workers import Workers

# Seconds by which a duration may be rounded: an utterance that ends so close to the end
# of its recording is all of it.
ROUNDED = 0.05


class Heard(NamedTuple):
    """A recording as it is.

    audio: its value in wav.scp.
    seconds: its length; None of a command, which is not run.
    defect: why it is unusable, in a few words; empty if it is usable.
    """

    audio: str
    seconds: float | None = None
    defect: str = ""


class Part(NamedTuple):
    """What an utterance is of its recording.

    whole: all of it.
    seconds: its length; 0 if nobody knows.
    defect: why it is unusable, or empty.
    """

    whole: bool
    seconds: float
    defect: str = ""


def hear_all(
    recordings: Sequence[str],
    folder: Path,
    jobs: int,
    unpack: Callable[[Mapping[str, Path]], None] | None,
) -> dict[str, Heard]:
    """Look at the header of each recording; convert those that are not WAV or FLAC.

    Args:
        recordings: files, commands, or names of embedded recordings.
        folder: directory for converted and embedded ones; what an interrupted run has
            left there is not made again.
        jobs: number of threads.
        unpack: of the format, for embedded ones.
    """
    places = {
        name: _embedded_place(name, folder) for name in recordings if "\0" in name
    }
    missing = {name: path for name, path in places.items() if not path.exists()}
    if missing and unpack:
        unpack(missing)

    def hear(name: str) -> Heard:
        if is_command(name):
            return Heard(name)
        path = places.get(name, Path(name))
        if name in places and not path.exists():  # a path alone was embedded
            path = Path(name.rpartition("\0")[2])
        return _hear(path, folder)

    with Workers(jobs) as workers:
        found = workers.map(hear, recordings)
        shown = tqdm(found, "import", len(recordings), unit="rec", disable=None)
        return dict(zip(recordings, shown, strict=True))


def part_of(row: Row, heard: Heard) -> Part:
    """Return what a row is of its recording."""
    if heard.defect:
        return Part(True, 0.0, heard.defect)
    start, length = row.start or 0.0, heard.seconds
    if length is None:
        return Part(row.start is None and row.end is None, (row.end or start) - start)
    end = length if row.end is None else row.end
    if end > length + OVERSHOOT or start >= length:
        return Part(False, 0.0, "beyond its recording")
    whole = start == 0.0 and end >= length - ROUNDED
    return Part(whole, min(end, length) - start)


def _hear(path: Path, folder: Path) -> Heard:
    try:
        header = read_header(path)
        if header.kind[0] in PLAIN and header.frames is not None:
            return Heard(str(path), header.frames / header.rate)
        target = converted(path, folder.absolute())
        samples = read_header(target).frames or 0
        return Heard(str(target), samples / SAMPLE_RATE)
    except AudioError as error:
        return Heard(NO_AUDIO, 0.0, str(error))


def _embedded_place(name: str, folder: Path) -> Path:
    """Return the file for an embedded recording; a changed corpus has others."""
    file = name.partition("\0")[0]
    state = Path(file).stat()
    who = f"{Path(file).resolve()} {state.st_size} {state.st_mtime_ns} {name}"
    digest = hashlib.sha256(who.encode()).hexdigest()[:16]
    own = Path(name.rpartition("\0")[2])
    return (folder / f"{own.stem}-{digest}{own.suffix}").absolute()

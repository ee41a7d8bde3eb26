"""Audio of utterances: whole recordings or segments, from files or commands."""

import contextlib
import math
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from espnet_merge.data.audio import (
    AudioError,
    Samples,
    read_blocks,
    read_header,
    write_flac,
)
from espnet_merge.data.kaldi import DEFECTS, NO_AUDIO, Tables
from espnet_merge.errors import InputError
from espnet_merge.files import WAV_SCP
from espnet_merge.speech import SAMPLE_RATE

AUDIO = "data"  # folder of the audio in a data directory
# Seconds by which a segment may end after its recording, as Kaldi allows.
OVERSHOOT = 0.5


class Part(NamedTuple):
    """Where an utterance is in its recording, in seconds."""

    start: float
    end: float


WHOLE = Part(0.0, math.inf)


class Clip(NamedTuple):
    """An utterance's audio in Whisper's format, or why there is none.

    audio: its value in wav.scp.
    samples: number of samples at 16 kHz.
    defect: why it is unusable, in a few words; empty if it is usable.
    """

    audio: str
    samples: int
    defect: str = ""


def by_recording(data: Path, tables: Tables) -> dict[str, dict[str, Part]]:
    """Return the utterances of each recording, with their place in it.

    Args:
        data: directory of the tables, for messages.
        tables: of a data directory.

    Returns:
        Value of wav.scp -> utterance -> its part of the recording.

    Raises:
        InputError: ``segments`` is malformed, or names an unknown recording.
    """
    recordings: dict[str, dict[str, Part]] = {}
    if "segments" not in tables:
        for name, audio in tables[WAV_SCP].items():
            recordings.setdefault(audio, {})[name] = WHOLE
        return recordings
    for name, line in tables["segments"].items():
        recording, part = _parse(f"{data / 'segments'}: {name}", line)
        if recording not in tables[WAV_SCP]:
            raise InputError(
                f"{data / 'segments'}: {name}: a recording must stand in wav.scp; "
                f"{recording} does not."
            )
        recordings.setdefault(tables[WAV_SCP][recording], {})[name] = part
    return recordings


def extract(
    audio: str,
    parts: Mapping[str, Part],
    folder: Path,
    final: Path,
    *,
    speed: float = 1.0,
) -> dict[str, Clip]:
    """Return the clips of a recording; write those that must be cut or converted.

    Args:
        audio: value in wav.scp: a file, or a command that ends with ``|``.
        parts: utterance -> its part of the recording.
        folder: directory to write to.
        final: name that ``folder`` gets at the end.
        speed: 1.1 is ten percent faster.
    """
    try:
        with _as_file(audio) as path:
            if set(parts.values()) != {WHOLE}:
                return _cut(path, parts, folder, final, speed)
            if speed == 1 and not is_command(audio) and read_header(path).is_plain:
                # Read it nevertheless: only that proves that it is not damaged.
                clip = Clip(audio, sum(map(len, read_blocks(path))))
                return dict.fromkeys(parts, clip)
            return {
                name: _write(name, read_blocks(path, speed), folder, final)
                for name in parts
            }
    except AudioError as error:
        return dict.fromkeys(parts, _nothing(error))


def of_clips(clips: Mapping[str, Clip]) -> Tables:
    """Return the ``wav.scp`` and ``utt2defect`` of clips."""
    return {
        WAV_SCP: {name: clip.audio for name, clip in clips.items()},
        DEFECTS: {name: clip.defect for name, clip in clips.items() if clip.defect},
    }


def is_command(audio: str) -> bool:
    """Return whether a value of wav.scp is a command that writes audio."""
    return audio.endswith("|")


def file_name(utterance: str) -> str:
    """Return a file name that is unique to the utterance.

    >>> file_name("ana/7"), file_name("ana%2F7")
    ('ana%2F7.flac', 'ana%252F7.flac')
    """
    return f"{utterance.replace('%', '%25').replace('/', '%2F')}.flac"


def _parse(where: str, line: str) -> tuple[str, Part]:
    try:
        recording, *times = line.split()
        start, end = map(float, times)
    except ValueError as error:
        raise InputError(
            f"{where}: must be recording, start and end in seconds; got {line!r}."
        ) from error
    if end == -1:  # Kaldi's end of the recording
        end = math.inf
    if not 0 <= start < end:
        raise InputError(
            f"{where}: must start at 0 or later, and end after that, or at -1 with "
            f"the recording; got {line!r}."
        )
    return recording, Part(start, end)


@contextlib.contextmanager
def _as_file(audio: str) -> Iterator[Path]:
    if audio == NO_AUDIO:
        raise AudioError("no audio")
    if not is_command(audio):
        yield Path(audio)
        return
    with tempfile.NamedTemporaryFile() as file:
        # The command is the user's own; Kaldi and ESPnet run it in a shell as well.
        done = subprocess.run(
            audio.removesuffix("|"),
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=file,
            check=False,
        )
        if done.returncode:
            raise AudioError("command failed")
        yield Path(file.name)


def _cut(
    path: Path, parts: Mapping[str, Part], folder: Path, final: Path, speed: float
) -> dict[str, Clip]:
    """Write the parts of a recording, which is read into memory as a whole."""
    samples = np.concatenate([*read_blocks(path, speed)])
    clips = {}
    for name, part in parts.items():
        try:
            piece = _slice(samples, part, SAMPLE_RATE / speed)
            clips[name] = _write(name, [piece], folder, final)
        except AudioError as error:
            clips[name] = _nothing(error)
    return clips


def _slice(samples: Samples, part: Part, rate: float) -> Samples:
    start, end = round(part.start * rate), part.end * rate
    if math.isinf(end):
        return samples[start:]
    if end > len(samples) + OVERSHOOT * rate:
        raise AudioError("beyond its recording")
    return samples[start : round(end)]


def _write(name: str, blocks: Iterable[Samples], folder: Path, final: Path) -> Clip:
    file = file_name(name)
    return Clip(str(final / file), write_flac(folder / file, blocks))


def _nothing(error: AudioError) -> Clip:
    return Clip(NO_AUDIO, 0, str(error))

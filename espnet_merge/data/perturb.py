"""Speed perturbation: copies of a data directory at other speeds."""

from collections.abc import Sequence
from pathlib import Path

from espnet_merge.data.kaldi import (
    Tables,
    check_columns,
    of_utterances,
    read_kaldi,
    write_tables,
)
from espnet_merge.data.recordings import AUDIO, Clip, by_recording, extract, of_clips
from espnet_merge.disk.atomic import whole_directory
from espnet_merge.errors import InputError
from espnet_merge.files import UTT2SPK, WAV_SCP

# Tables of lengths, which change with the speed.
_LENGTHS = ("utt2dur", "utt2num_frames", "utt2num_samples")


def perturb_speed(data: Path, output: Path, factors: Sequence[float]) -> int:
    """Write a copy of ``data`` for each factor; return the number of utterances.

    As with a tape, pitch changes with speed. Utterances and speakers get a prefix such
    as ``sp0.9-``, except with factor 1, whose audio files are reused unless they must
    be cut by ``segments``. An utterance without usable audio gets ``None`` in
    ``wav.scp`` and the reason in ``utt2defect``.

    Args:
        data: directory with ``wav.scp``, ``text``, ``utt2lang`` and, optionally,
            ``segments``.
        output: new directory; converted audio is in its ``data/``.
        factors: 1.1 is ten percent faster.

    Raises:
        InputError: a factor is out of range or repeated, or the tables are broken.
    """
    for factor in factors:
        if not 0.5 <= factor <= 2:
            raise InputError(f"--factors must be from 0.5 to 2; got {factor:g}.")
    if len(set(factors)) < len(factors):
        raise InputError(f"--factors must differ; got {' '.join(map(str, factors))}.")
    tables = read_kaldi(data)
    check_columns(data, tables)
    for file in _LENGTHS:
        tables.pop(file, None)
    joined: Tables = {file: {} for file in tables if file != "segments"}
    with whole_directory(output) as part:
        for factor in factors:
            prefix = "" if factor == 1 else f"sp{factor:g}-"
            for file, table in of_utterances(tables).items():
                own = prefix if file == UTT2SPK else ""
                joined[file] |= {prefix + n: own + v for n, v in table.items()}
            audio_tables = _audio_tables(data, tables, factor, prefix, (part, output))
            for file, table in audio_tables.items():
                joined.setdefault(file, {}).update(table)
        write_tables(joined, part)
    return len(joined[WAV_SCP])


def _audio_tables(
    data: Path, tables: Tables, speed: float, prefix: str, places: tuple[Path, Path]
) -> Tables:
    """Write audio at one speed; return its ``wav.scp`` and ``utt2defect``.

    Args:
        data: directory of the tables, for messages.
        tables: of all utterances.
        speed: of the copy.
        prefix: of its utterances.
        places: directory to write to, and the name that it gets at the end.
    """
    if speed == 1 and "segments" not in tables:
        return {WAV_SCP: tables[WAV_SCP]}
    folder, final = (place / AUDIO for place in places)
    clips: dict[str, Clip] = {}
    for audio, parts in by_recording(data, tables).items():
        renamed = {prefix + name: part for name, part in parts.items()}
        clips |= extract(audio, renamed, folder, final, speed=speed)
    return of_clips(clips)

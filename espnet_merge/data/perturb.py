"""Copies of a data directory at other speeds."""

from collections.abc import Sequence
from pathlib import Path

import soundfile
import soxr

from espnet_merge.data.kaldi import Tables, read_kaldi, write_tables
from espnet_merge.disk.atomic import whole_directory
from espnet_merge.errors import InputError

# They hold lengths, which are others at another speed.
_LENGTHS = ("utt2dur", "utt2num_frames", "utt2num_samples")


def perturb_speed(data: Path, output: Path, factors: Sequence[float]) -> int:
    """Write ``data`` once for every factor; return the number of utterances.

    As with a tape, pitch changes with speed. Utterances and speakers get a prefix such
    as ``sp0.9-``; those of factor 1 stay as they are.

    Args:
        data: directory with ``wav.scp``, ``text``, ``utt2lang``.
        output: new directory; the audio lies in its ``wav/``.
        factors: 1.1 is ten percent faster.

    Raises:
        InputError: a factor is out of range or twice there, or data is broken.
    """
    for factor in factors:
        if not 0.5 <= factor <= 2:
            raise InputError(f"--factors must be from 0.5 to 2; got {factor:g}.")
    if len(set(factors)) < len(factors):
        raise InputError(f"--factors must differ; got {' '.join(map(str, factors))}.")
    tables = read_kaldi(data)
    for file in _LENGTHS:
        tables.pop(file, None)
    for file, table in tables.items():
        if table.keys() != tables["wav.scp"].keys():
            raise InputError(
                f"{data / file}: must list the utterances of wav.scp; it does not: run "
                "utils/fix_data_dir.sh."
            )
    joined: Tables = {file: {} for file in tables}
    with whole_directory(output) as part:
        (part / "wav").mkdir()
        for factor in factors:
            _add(tables, factor, joined, part / "wav", output / "wav")
        write_tables(joined, part)
    return len(joined["wav.scp"])


def _add(
    tables: Tables, factor: float, joined: Tables, part: Path, final: Path
) -> None:
    """Add all utterances at one speed to ``joined``."""
    prefix = "" if factor == 1 else f"sp{factor:g}-"
    for file, table in tables.items():
        for name, value in table.items():
            new = prefix + name
            if file == "wav.scp" and prefix:
                _resample(Path(value), factor, part / f"{new}.wav")
                value = str(final / f"{new}.wav")
            elif file == "utt2spk":
                value = prefix + value
            joined[file][new] = value


def _resample(source: Path, factor: float, target: Path) -> None:
    try:
        samples, rate = soundfile.read(source, dtype="float32")
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"{source}: must be readable audio; {error}") from error
    faster = soxr.resample(samples, rate * factor, rate)
    soundfile.write(target, faster, rate, subtype="PCM_16")

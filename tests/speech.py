"""Data directories of noise, for tests that need audio but no speech."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile


def write_data(
    directory: Path,
    *,
    languages: Sequence[str] = ("es",),
    count: int = 8,
    seconds: tuple[float, float] = (0.4, 1.2),
    seed: int = 0,
) -> Path:
    """Write a Kaldi data directory of ``count`` utterances, languages in turn."""
    directory.mkdir(parents=True)
    noise = np.random.default_rng(seed)
    rows: dict[str, list[str]] = {
        name: [] for name in ("wav.scp", "text", "utt2lang", "utt2task", "utt2spk")
    }
    for index in range(count):
        language = languages[index % len(languages)]
        uid = f"{language}-{index:03d}"
        audio = 0.1 * noise.standard_normal(int(16_000 * noise.uniform(*seconds)))
        soundfile.write(directory / f"{uid}.wav", audio, 16_000, subtype="PCM_16")
        rows["wav.scp"].append(f"{uid} {directory / uid}.wav")
        rows["text"].append(f"{uid} palabra {index}")
        rows["utt2lang"].append(f"{uid} {language}")
        rows["utt2task"].append(f"{uid} transcribe")
        rows["utt2spk"].append(f"{uid} {language}")
    for name, lines in rows.items():
        (directory / name).write_text("\n".join(sorted(lines)) + "\n", "utf-8")
    return directory

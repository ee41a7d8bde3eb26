"""A data directory of recordings in Kaldi's ways: segments, of a file and a command."""

from pathlib import Path

import numpy as np
import soundfile

# Utterance -> recording, start, end; what it says is how loud it is.
PARTS = {
    "es-a": ("file", 0.5, 1.5),
    "es-b": ("file", 2.0, -1),
    "es-c": ("pipe", 0.0, 1.5),
}
LOUD = {"es-a": 0.1, "es-b": 0.2, "es-c": 0.3}


def write_recordings(directory: Path) -> Path:
    """Write two recordings at 8 kHz, silent where no utterance is."""
    directory.mkdir(parents=True)
    for recording, seconds in (("file", 2.5), ("pipe", 2.0)):
        samples = np.zeros(int(8_000 * seconds))
        for name, (own, start, end) in PARTS.items():
            if own == recording:
                last = len(samples) if end == -1 else int(8_000 * end)
                samples[int(8_000 * start) : last] = LOUD[name]
        soundfile.write(directory / f"{recording}.wav", samples, 8_000)
    tables = {
        "wav.scp": {
            "file": str(directory / "file.wav"),
            "pipe": f"cat {directory / 'pipe.wav'} |",
        },
        "segments": {n: f"{r} {a:g} {b:g}" for n, (r, a, b) in PARTS.items()},
        "text": dict.fromkeys(PARTS, "hola"),
        "utt2lang": dict.fromkeys(PARTS, "Spanish"),
        "utt2spk": dict.fromkeys(PARTS, "es"),
    }
    for file, table in tables.items():
        lines = (f"{name} {value}\n" for name, value in table.items())
        (directory / file).write_text("".join(lines), "utf-8")
    return directory

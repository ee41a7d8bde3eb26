"""Data directories of the twelve recordings: ``python -m tests.recipes.data OUT``.

Then some are as corpora may be: cut out of a recording that a command writes, with a
byte-order mark, broken, long, or without a word.
"""

import sys
from pathlib import Path

import numpy as np
import soundfile
import soxr

RECORDINGS = Path(__file__).parents[1] / "recordings"
ENGLISH = {
    "digits_at": "at",
    "vm-youhave": "You have",
    "digits_oclock": "o'clock",
    "vm-goodbye": "Goodbye.",
    "hello-world": "Hello World!",
    "privacy-thankyou": "Thank you very much.",
}
SPLIT = {"train": slice(0, 3), "valid": slice(3, 4), "test": slice(4, 6)}


def write_corpus(output: Path) -> None:
    """Write ``<language>_{train,valid,test}``, ``es-en_…``, ``es_{news,tv}_…``."""
    lines = (RECORDINGS / "text").read_text("utf-8").splitlines()
    for language in ("es", "it"):
        spoken = [line for line in lines if line.startswith(f"{language}-")]
        for name, part in SPLIT.items():
            rows = dict(line.split(" ", 1) for line in sorted(spoken[part]))
            write_set(output / f"{language}_{name}", rows, language)
    record_anew(output / "it_valid")
    for name in SPLIT:
        translate(output / f"es_{name}", output / f"es-en_{name}")
    spanish = [line for line in lines if line.startswith("es-")]
    # The same recordings, in splits of their own.
    domains = {"news": spanish[::-1], "tv": [*spanish[2:], *spanish[:2]]}
    for domain, own in domains.items():
        for name, part in SPLIT.items():
            write_domain(output / f"es_{domain}_{name}", own[part], domain)
    write_domain(output / "es_ood_test", domains["news"][2:4], "ood")


def make_odd(output: Path) -> None:
    """Make some of the sets as odd as those of real corpora."""
    put_together(output / "it_test")
    add_odd(output / "es_test")
    for table in ("text", "utt2lang"):
        path = output / "es_train" / table
        path.write_text("\ufeff" + path.read_text("utf-8"), "utf-8")


def write_set(directory: Path, rows: dict[str, str], language: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    tables = {
        "text": rows,
        "wav.scp": {name: str(RECORDINGS / f"{name}.flac") for name in rows},
        "utt2spk": dict.fromkeys(rows, language),
        "utt2lang": dict.fromkeys(rows, language),
        "utt2task": dict.fromkeys(rows, "transcribe"),
        "spk2utt": {language: " ".join(rows)},
    }
    for file, table in tables.items():
        lines = "".join(f"{name} {value}\n" for name, value in table.items())
        (directory / file).write_text(lines, "utf-8")


def write_domain(directory: Path, lines: list[str], domain: str) -> None:
    """Write Spanish utterances under names of another domain."""
    new = f"es-{domain}-"
    write_set(directory, dict(line.split(" ", 1) for line in lines), "es")
    for file in directory.iterdir():
        text = file.read_text("utf-8").replace("es-", new)
        file.write_text(text.replace(f"recordings/{new}", "recordings/es-"), "utf-8")


def record_anew(directory: Path) -> None:
    """Give the recordings of a set the rate of a compact disc, as a corpus may have."""
    places = [line.split() for line in (directory / "wav.scp").read_text().splitlines()]
    for name, file in places:
        samples, rate = soundfile.read(file)
        resampled = soxr.resample(samples, rate, 44_100)
        soundfile.write(directory / f"{name}.wav", resampled, 44_100)
    lines = (f"{name} {directory / name}.wav\n" for name, _ in places)
    (directory / "wav.scp").write_text("".join(lines), "utf-8")


def put_together(directory: Path) -> None:
    """Make one recording of all, out of a command, with segments."""
    places = [line.split() for line in (directory / "wav.scp").read_text().splitlines()]
    pieces, segments, end = [], [], 0.0
    for name, file in places:
        samples, rate = soundfile.read(file)
        start, end = end, end + len(samples) / rate
        pieces.append(samples)
        segments.append(f"{name} rec {start} {end}\n")
    soundfile.write(directory / "rec.wav", np.concatenate(pieces), rate)
    (directory / "wav.scp").write_text(f"rec cat {directory / 'rec.wav'} |\n")
    (directory / "segments").write_text("".join(segments))


def add_odd(directory: Path) -> None:
    """Add a recording that is cut short, and one of 33 seconds with nothing to read."""
    samples, rate = soundfile.read(RECORDINGS / "es-privacy-thankyou.flac")
    long = np.resize(samples, 33 * rate)
    for name, text in (("es-zz-cut", "gracias"), ("es-zz-long", "")):
        audio = directory / f"{name}.wav"
        soundfile.write(audio, long, rate)
        rows = {"wav.scp": audio, "text": text, "utt2spk": "es", "utt2lang": "Spanish"}
        for table, value in {**rows, "utt2task": "transcribe"}.items():
            with (directory / table).open("a", encoding="utf-8") as file:
                file.write(f"{name} {value}\n")
    cut = directory / "es-zz-cut.wav"
    cut.write_bytes(cut.read_bytes()[:100_000])


def translate(spoken: Path, output: Path) -> None:
    """Write a set of the same recordings with their English texts."""
    output.mkdir(parents=True, exist_ok=True)
    for file in ("text", "wav.scp", "utt2spk", "utt2lang", "utt2task"):
        lines = (spoken / file).read_text("utf-8").splitlines()
        rows = dict(line.split(" ", 1) for line in lines)
        if file == "text":
            rows = {name: ENGLISH[name.removeprefix("es-")] for name in rows}
        if file == "utt2task":
            rows = dict.fromkeys(rows, "translate")
        renamed = (f"{n.replace('es-', 'es-en-', 1)} {rows[n]}\n" for n in rows)
        (output / file).write_text("".join(renamed), "utf-8")
    names = (line.split()[0] for line in (output / "text").read_text().splitlines())
    (output / "spk2utt").write_text(f"es {' '.join(names)}\n", "utf-8")


if __name__ == "__main__":
    write_corpus(Path(sys.argv[1]))
    make_odd(Path(sys.argv[1]))

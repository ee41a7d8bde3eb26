"""Data directories of the twelve recordings: ``python -m tests.recipes.data OUT``."""

import sys
from pathlib import Path

RECORDINGS = Path(__file__).parents[1] / "recordings"
SPLIT = {"train": slice(0, 3), "valid": slice(3, 4), "test": slice(4, 6)}


def write_corpus(output: Path) -> None:
    """Write ``<language>_{train,valid,test}`` under ``output``."""
    lines = (RECORDINGS / "text").read_text("utf-8").splitlines()
    for language in ("es", "it"):
        spoken = [line for line in lines if line.startswith(f"{language}-")]
        for name, part in SPLIT.items():
            rows = dict(line.split(" ", 1) for line in sorted(spoken[part]))
            write_set(output / f"{language}_{name}", rows, language)


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


if __name__ == "__main__":
    write_corpus(Path(sys.argv[1]))

"""A corpus of six utterances by three speakers, in each format, by its own library."""

import csv
import json
from pathlib import Path

import numpy as np
import soundfile

SECONDS = 0.5
# Recording -> speaker, split, text; a text has what formats quote.
SPOKEN = {
    "a1": ("ana", "train", 'Dice "uno", y ya'),
    "a2": ("ana", "train", "¿dos?"),
    "b1": ("bea", "train", "tres; tres"),
    "b2": ("bea", "train", "cuatro, o más"),
    "c1": ("cid", "dev", "cinco"),
    "d1": ("dan", "test", "seis"),
}


def record(folder: Path, suffix: str = ".wav", rate: int = 16_000) -> dict[str, Path]:
    """Write the recordings; return their paths by name."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0)
    paths = {name: folder / f"{name}{suffix}" for name in SPOKEN}
    for path in paths.values():
        soundfile.write(path, 0.1 * noise.standard_normal(int(SECONDS * rate)), rate)
    return paths


def rows(paths, **names):
    """Return the rows of a table; ``names`` are those of its columns, by field."""
    for name, (speaker, split, text) in SPOKEN.items():
        row = {
            "audio": str(paths[name]),
            "text": text,
            "speaker": speaker,
            "split": split,
            "duration": SECONDS,
        }
        yield {names.get(field, field): value for field, value in row.items()}


def relative(folder, paths):
    return {name: path.relative_to(folder) for name, path in paths.items()}


def write_csv(folder, delimiter=",", name="clips.csv", **style):
    paths = relative(folder, record(folder / "clips"))
    table = [*rows(paths)]
    with (folder / name).open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, [*table[0]], delimiter=delimiter, **style)
        writer.writeheader()
        writer.writerows(table)
    return [folder / name]


def write_tsv(folder):
    style = {"quoting": csv.QUOTE_NONE, "quotechar": None, "lineterminator": "\n"}
    return write_csv(folder, "\t", "clips.tsv", **style)


def write_jsonl(folder, name="clips.jsonl", **names):
    paths = relative(folder, record(folder / "clips"))
    lines = (json.dumps(row, ensure_ascii=False) for row in rows(paths, **names))
    (folder / name).write_text("\n".join(lines) + "\n", "utf-8")
    return [folder / name]


def write_nemo(folder):
    # As in NeMo's documentation.
    return write_jsonl(folder, "manifest.json", audio="audio_filepath")


def write_kaldi(folder):
    paths = record(folder / "clips")
    for name, (speaker, split, text) in SPOKEN.items():
        directory = folder / "data" / split
        directory.mkdir(parents=True, exist_ok=True)
        lines = {
            "wav.scp": paths[name],
            "text": text,
            "utt2spk": speaker,
            "utt2lang": "Spanish",
        }
        for table, value in lines.items():
            with (directory / table).open("a", encoding="utf-8") as file:
                file.write(f"{speaker}-{name} {value}\n")
    return [folder / "data" / split for split in ("train", "dev", "test")]


def supervisions(paths):
    from lhotse import Recording, SupervisionSegment

    for name, (speaker, split, text) in SPOKEN.items():
        recording = Recording.from_file(paths[name])
        yield (
            recording,
            SupervisionSegment(
                f"{speaker}-{name}",
                recording.id,
                0.0,
                recording.duration,
                text=text,
                speaker=speaker,
                language="Spanish",
                custom={"split": split},
            ),
        )


def write_lhotse(folder):
    from lhotse import RecordingSet, SupervisionSet

    both = [*supervisions(record(folder / "clips"))]
    (folder / "manifests").mkdir()
    for kind, column, name in (
        (RecordingSet, 0, "recordings"),
        (SupervisionSet, 1, "supervisions"),
    ):
        found = kind.from_items(pair[column] for pair in both)
        found.to_file(folder / "manifests" / f"es_{name}.jsonl.gz")
    return [folder / "manifests"]


def write_cuts(folder):
    from lhotse import CutSet, RecordingSet, SupervisionSet

    recordings, said = zip(*supervisions(record(folder / "clips")), strict=True)
    cuts = CutSet.from_manifests(
        RecordingSet.from_items(recordings), SupervisionSet.from_items(said)
    )
    cuts.to_file(folder / "cuts.jsonl.gz")
    return [folder / "cuts.jsonl.gz"]


def write_parquet(folder, suffix=".wav"):
    """Files of each split with embedded audio, named as the hub's are."""
    import pyarrow as pa
    from datasets import Audio, Dataset
    from datasets.table import InMemoryTable

    paths = record(folder / "clips", suffix)
    for split in ("train", "dev", "test"):
        own = [row for row in rows(paths) if row["split"] == split]
        table = {name: [row[name] for row in own] for name in ("text", "speaker")}
        files = [Path(row["audio"]) for row in own]
        table["audio"] = [{"bytes": f.read_bytes(), "path": f.name} for f in files]
        embedded = Dataset(InMemoryTable(pa.table(table)))
        name = {"dev": "validation"}.get(split, split)
        file = folder / "data" / f"{name}-00000-of-00001.parquet"
        file.parent.mkdir(exist_ok=True)
        embedded.cast_column("audio", Audio()).to_parquet(file)
    return [folder / "data"]


def write_folder(folder):
    """Recordings of a speaker in a directory, each with its text beside it."""
    for name, (speaker, split, text) in SPOKEN.items():
        place = folder / "corpus" / split / speaker
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{name}.txt").write_text(f"{text}\r\n", "utf-8")
        soundfile.write(place / f"{name}.wav", np.zeros(int(SECONDS * 16_000)), 16_000)
    return [folder / "corpus"]


def write_audiofolder(folder):
    """As Hugging Face documents it: metadata.csv beside the recordings."""
    paths = relative(folder / "corpus", record(folder / "corpus" / "clips"))
    table = [*rows(paths, audio="file_name", text="transcription")]
    with (folder / "corpus" / "metadata.csv").open("w", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*table[0]])
        writer.writeheader()
        writer.writerows(table)
    return [folder / "corpus"]


# Format, writer, and what the user says besides.
FORMATS = {
    "csv": ("csv", write_csv, ["--lang", "es"]),
    "tsv": ("tsv", write_tsv, ["--lang", "es"]),
    "jsonl": ("jsonl", write_jsonl, ["--lang", "es"]),
    "nemo": ("nemo", write_nemo, ["--lang", "es"]),
    "kaldi": ("kaldi", write_kaldi, []),
    "lhotse": ("lhotse", write_lhotse, []),
    "cuts": ("lhotse", write_cuts, []),
    "parquet": ("parquet", write_parquet, ["--lang", "es"]),
    "folder": ("folder", write_folder, ["--lang", "es", "--speaker-column", "folder"]),
    "audiofolder": (
        "folder",
        write_audiofolder,
        ["--lang", "es", "--text-column", "transcription"],
    ),
}

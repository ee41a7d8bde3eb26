#!/usr/bin/env python3
"""Measure importing a corpus, against Lhotse's own preparation of the same recordings.

Each job is a whole process with one thread, in turn, round by round: `espnet-merge
import` writes data directories of three splits; Lhotse writes recordings, supervisions
and cuts with its own functions, checked by its own check. Recordings are of noise.

    benchmarks/importing.py --work WORK
"""

import argparse
import csv
import shutil
import statistics
import sys
from pathlib import Path

import numpy as np
import soundfile
from measure import measure

PROJECT = Path(sys.executable).parent
RATE = 16_000
# What Lhotse's recipes do: recordings from files, supervisions beside, both checked.
LHOTSE = """
import csv, sys
from pathlib import Path
from lhotse import CutSet, Recording, RecordingSet, SupervisionSegment, SupervisionSet
from lhotse.qa import fix_manifests, validate_recordings_and_supervisions
table, output = Path(sys.argv[1]), Path(sys.argv[2])
recordings, supervisions = [], []
with table.open(encoding="utf-8", newline="") as file:
    for row in csv.DictReader(file):
        recording = Recording.from_file(table.parent / row["path"])
        recordings.append(recording)
        supervisions.append(SupervisionSegment(
            id=recording.id, recording_id=recording.id, start=0.0,
            duration=recording.duration, channel=0, language="es",
            speaker=row["client_id"], text=row["sentence"]))
recordings, supervisions = fix_manifests(
    RecordingSet.from_items(recordings), SupervisionSet.from_items(supervisions))
validate_recordings_and_supervisions(recordings, supervisions)
output.mkdir(parents=True)
recordings.to_file(output / "recordings.jsonl.gz")
supervisions.to_file(output / "supervisions.jsonl.gz")
cuts = CutSet.from_manifests(recordings, supervisions)
cuts.to_file(output / "cuts.jsonl.gz")
"""
EMPTY = "import lhotse"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR")
    parser.add_argument("--utterances", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    table = write_corpus(args.work / str(args.utterances), args.utterances)
    output = args.work / "out"
    jobs = {
        "espnet-merge import": imported(table, output),
        "with disjoint speakers": [*imported(table, output), "--disjoint", "speaker"],
        "Lhotse": [sys.executable, "-c", LHOTSE, str(table), str(output)],
        "import lhotse": [sys.executable, "-c", EMPTY],
    }
    costs = {name: [] for name in jobs}
    for _ in range(args.rounds):
        for name, command in jobs.items():
            shutil.rmtree(output, ignore_errors=True)
            costs[name].append(measure(command, args.work / "log"))
    print("| job | CPU seconds | of Lhotse | MB |\n|---|---:|---:|---:|")
    for name, runs in costs.items():
        seconds = [run["cpu"] for run in runs]
        ratio = statistics.median(
            run["cpu"] / other["cpu"]
            for run, other in zip(runs, costs["Lhotse"], strict=True)
        )
        memory = statistics.median(run["anon"] for run in runs)
        spread = f"{min(seconds):.1f} to {max(seconds):.1f}"
        print(
            f"| {name} | {statistics.median(seconds):.1f} ({spread}) | {ratio:.2f} |"
            f" {memory:.0f} |"
        )


def imported(table, output):
    columns = ["--audio-column", "path", "--text-column", "sentence"]
    columns += ["--speaker-column", "client_id"]
    words = ["--from", "csv", "--lang", "es", "--jobs", "1", "--output", str(output)]
    return [str(PROJECT / "espnet-merge"), "import", str(table), *columns, *words]


def write_corpus(folder, size):
    """Write recordings of half a second by a hundred speakers, and their table."""
    table = folder / "clips.csv"
    if table.exists():
        return table
    (folder / "clips").mkdir(parents=True)
    noise = (1000 * np.random.default_rng(0).standard_normal(RATE // 2)).astype("int16")
    with (folder / "part").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["client_id", "path", "sentence"])
        for number in range(size):
            path = f"clips/{number:06}.wav"
            soundfile.write(folder / path, noise, RATE)
            writer.writerow([f"speaker{number % 100:03}", path, f"frase {number}"])
    (folder / "part").rename(table)
    return table


if __name__ == "__main__":
    main()

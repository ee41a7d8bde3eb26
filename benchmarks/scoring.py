#!/usr/bin/env python3
"""Measure scoring and comparing on made-up text, against a plain loop over jiwer.

Every job is a whole process with one thread; what is compared runs in turn, round by
round. Memory is the peak of anonymous pages.

    benchmarks/scoring.py --work WORK
"""

import argparse
import json
import random
import statistics
import sys
from pathlib import Path

from measure import measure

PROJECT = Path(sys.executable).parent
WORDS = 10  # an utterance, on average
# Share of words that a system has wrong, and of utterances that it has right.
SYSTEMS = {"one": (0.20, 0.4), "two": (0.22, 0.4)}
# What anybody would write: one rate, no normalisation, no files.
JIWER = """
import sys, jiwer
said, heard = (
    [line.partition(" ")[2].strip() for line in open(f"{folder}/text")]
    for folder in sys.argv[1:]
)
print(jiwer.wer(said, heard), jiwer.cer(said, heard))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print("| utterances | job | CPU seconds | MB |\n|---:|---|---:|---:|")
    for size in args.sizes:
        folder = args.work / str(size)
        write_set(folder, size)
        jobs = commands(folder)
        costs = {name: [] for name in jobs}
        for _ in range(args.rounds):
            for name, command in jobs.items():
                costs[name].append(measure(command, args.work / "log"))
        for name, runs in costs.items():
            cpu = statistics.median(run["cpu"] for run in runs)
            memory = statistics.median(run["anon"] for run in runs)
            print(f"| {size} | {name} | {cpu:.1f} | {memory:.0f} |", flush=True)


def commands(folder):
    data, one, two = (str(folder / name) for name in ("data", *SYSTEMS))
    ours = str(PROJECT / "espnet-merge")
    compare = [ours, "compare", "--ref", data, "--hyp", one, two]
    return {
        "start": [ours, "score", "--help"],
        "score": [ours, "score", "--ref", data, "--hyp", one],
        "compare": compare,
        "compare --metric bleu": [*compare, "--metric", "bleu"],
        "plain jiwer": [sys.executable, "-c", JIWER, data, one],
    }


def write_set(folder, size):
    """Write a data directory and the hypotheses of two systems."""
    chance = random.Random(0)
    letters = "etaoinshrdlu"
    vocabulary = ["".join(chance.choices(letters, k=1 + i % 9)) for i in range(5000)]
    weights = [1 / (1 + rank) for rank in range(len(vocabulary))]
    said = [
        chance.choices(vocabulary, weights, k=chance.randint(2, 2 * WORDS - 2))
        for _ in range(size)
    ]
    write(
        folder / "data", "text", (f"{' '.join(words).capitalize()}." for words in said)
    )
    write(folder / "data", "utt2lang", ("es" for _ in said))
    write(folder / "data", "utt2spk", (f"s{index % 100}" for index in range(size)))
    for name, (wrong, right) in SYSTEMS.items():
        heard = (
            words
            if chance.random() < right
            else spoil(words, wrong, vocabulary, chance)
            for words in said
        )
        texts = list(map(" ".join, heard))
        write(folder / name, "text", texts)
        write_record(folder / name / "text.json", texts)


def write_record(path, texts):
    """Write what decode says of its hypotheses beside them."""
    known = {"language": "es", "task": "transcribe", "tokens": 20, "score": -4.321}
    known |= {"score_per_token": -0.2161, "seconds": 3.456, "repeats": 1}
    known |= {"truncated": False, "temperature": 0.0}
    utterances = {
        f"u{index:07}": {"text": text} | known for index, text in enumerate(texts)
    }
    record = {"mode": {"language": None}, "utterances": utterances}
    path.write_text(json.dumps(record, indent=1), encoding="utf-8")


def spoil(words, share, vocabulary, chance):
    """Replace, leave out and insert words, each a third of the share."""
    heard = []
    for word in words:
        draw = chance.random() / share
        heard += [word] if draw > 1 else []
        heard += [chance.choice(vocabulary)] if draw < 1 / 3 else []
        heard += [word, chance.choice(vocabulary)] if 2 / 3 < draw < 1 else []
    return heard


def write(folder, name, lines):
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w", encoding="utf-8") as file:
        file.writelines(f"u{index:07} {line}\n" for index, line in enumerate(lines))


if __name__ == "__main__":
    main()

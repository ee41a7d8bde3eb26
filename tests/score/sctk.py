"""What NIST's SCTK 2.4.10 says of made-up texts: from its programs, or as kept.

``python -m tests.score.sctk`` writes sctk.json anew where they are installed.
"""

import json
import random
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

FOLDER = Path(shutil.which("sclite") or "/usr/lib/sctk/bin/sclite").parent
needs_sctk = pytest.mark.skipif(
    not (FOLDER / "sc_stats").exists(), reason="SCTK is not installed (Debian: sctk)"
)
KEPT = Path(__file__).with_name("sctk.json")

# Latin, Cyrillic, right-to-left, CJK, an astral plane, combining marks.
WORDS = [
    *("a", "b", "c", "uno", "dos", "él", "niño", "ёж", "мир", "שלום", "עולם"),
    *("مرحبا", "عالم", "中文", "世界", "𝄞", "हिन्दी", "สวัสดี"),
]
# Shares of words that two systems have wrong.
SHARES = [(0.3, 0.3 + 0.01 * step) for step in range(12)]


class Chance:
    """Random numbers that are the same in every Python: random() is promised to be."""

    def __init__(self, seed):
        self.share = random.Random(seed).random

    def below(self, limit):
        return int(self.share() * limit)

    def one_of(self, choices):
        return choices[self.below(len(choices))]


def pairs(count=1000):
    """Return references, and hypotheses with three words of ten wrong; some empty."""
    chance = Chance(0)
    return [spoiled(chance, index) for index in range(count)]


def spelt(count=1000):
    """Return the same references, and hypotheses with one character of ten wrong."""
    chance = Chance(1)
    return [(said, "".join(edited(chance, said, 0.1))) for said, _ in pairs(count)]


def spoiled(chance, index):
    reference = [chance.one_of(WORDS) for _ in range(1 + chance.below(14))]
    sides = [reference, edited(chance, reference, 0.3)]
    if index % 20 == 0:  # turn by turn
        sides[index // 20 % 2] = []
    return tuple(map(" ".join, sides))


def edited(chance, tokens, share):
    """Replace, leave out and insert tokens, each a third of the share."""
    found = []
    for token in tokens:
        edit = chance.share() / share
        other = chance.one_of(tokens)
        found += [token] * (edit >= 2 / 3) + [other] * (
            edit < 1 / 3 or 2 / 3 < edit < 1
        )
    return found


def systems(seed, shares):
    """Return references and two systems' hypotheses, each with one best alignment.

    Words of one utterance are all different and right on both sides of an error, so
    what an error costs does not matter.
    """
    chance = Chance(seed)
    return tuple(zip(*(utterance(chance, shares) for _ in range(300)), strict=True))


def utterance(chance, shares):
    sides = reference, *heard = [], [], []
    for position in range(1 + chance.below(6)):
        for part in range(1 + chance.below(3)):
            for side in sides:
                side.append(f"w{position}.{part}")
        reference.append(f"r{position}")
        for number, (side, share) in enumerate(zip(heard, shares, strict=True)):
            edit = chance.share() / share
            word = f"r{position}" if edit >= 1 else f"s{number}.{position}"
            side += [word] * (edit >= 0.5)
    for side in sides:
        side.append("end")
    return tuple(map(" ".join, sides))


def sclite(texts):
    """Return sclite's (correct, sub, del, ins) of every pair, in order."""
    with tempfile.TemporaryDirectory() as folder:
        for side, name in enumerate(("ref", "hyp")):
            lines = (f"{pair[side]} (s-{i:05})\n" for i, pair in enumerate(texts))
            (Path(folder) / name).write_text("".join(lines), encoding="utf-8")
        printed = run(
            folder, "sclite", "-r ref trn -h hyp trn -i rm -s -e utf-8 -o pra"
        )
    found = re.findall(
        rb"id: \(s-(\d+)\)\s+Scores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)", printed
    )
    assert len(found) == len(texts)
    return [tuple(map(int, row[1:])) for row in sorted(found)]


def sc_stats(texts):
    """Return segments, mean, z and p of MAPSSWE, the first system less the second."""
    with tempfile.TemporaryDirectory() as folder:
        for name, side in zip(("r", "one", "two"), texts, strict=True):
            lines = (f"{text} (s-{index:04})\n" for index, text in enumerate(side))
            (Path(folder) / name).write_text("".join(lines))
        aligned = b"".join(
            run(folder, "sclite", f"-r r trn -h {name} trn {name} -i rm -s -o sgml")
            for name in ("one", "two")
        )
        tests = "-p -t mapsswe -n out -O ."
        run(folder, "sc_stats", f"{tests} -v", aligned)
        report = (Path(folder) / "out.stats.mapsswe").read_text()
        run(folder, "sc_stats", f"{tests} -u", aligned)
        table = (Path(folder) / "out.stats.unified").read_text()
    numbers = re.search(r"# segs: (\d+).*mean: +(\S+)\).*Z Stat: +(\S+)\)", report)
    # It has three digits, and finds all but the smallest in a table.
    (p,) = re.search(r"MP +\|\| +one +\|[^|]*\|[^|]*?([<\d.]+)", table).groups()
    return [*map(float, numbers.groups()), 0.0 if p == "<0.001" else float(p)]


def run(folder, program, options, read=b""):
    command = [FOLDER / program, *options.split()]
    command += ["stdout"] * (program == "sclite")
    done = subprocess.run(
        command, cwd=folder, input=read, check=True, capture_output=True
    )
    return done.stdout


def spaced(text):
    """Return the characters as words, as ESPnet's recipes hand them to sclite."""
    return " ".join("<space>" if c == " " else c for c in text)


def errors(texts):
    return [sum(row[1:]) for row in sclite(texts)]


def kept():
    return json.loads(KEPT.read_text())


def made():
    """Return what is kept in sctk.json."""
    return {
        "wer": errors(pairs()),
        "cer": errors([tuple(map(spaced, pair)) for pair in spelt()]),
        "mapsswe": [sc_stats(systems(*row)) for row in enumerate(SHARES)],
    }


if __name__ == "__main__":
    KEPT.write_text(json.dumps(made()) + "\n")

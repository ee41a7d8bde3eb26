"""Systems of several seeds, decoded and scored: texts with errors of given shares."""

import json
from pathlib import Path

import numpy as np

from espnet_merge.score.directories import score_directories

WORDS = [f"word{chr(97 + i)}" for i in range(26)]
MODE = {"pad_to": 30.0, "tail": 0.0, "beam": 1, "language": None}
SETS = {"en_a_test": "en", "en_b_test": "en", "es-en_test": "es"}
# Share of wrong words by system. zero is the same with every seed.
SHARES = {"zero": 0.5, "joint": 0.2, "soup": 0.22, "ties": 0.35}


def spoil(chance, words, share):
    return [w if chance.random() > share else "wrong" for w in words]


def write_data(place: Path, utterances: int = 60) -> None:
    """Write data directories; one set is translated."""
    chance = np.random.default_rng(0)
    for name, language in SETS.items():
        folder = place / name
        folder.mkdir(parents=True)
        said = [chance.choice(WORDS, size=8) for _ in range(utterances)]
        task = "translate" if "-" in name else "transcribe"
        for file, values in (
            ("text", [" ".join(words) for words in said]),
            ("utt2lang", [language] * utterances),
            ("utt2task", [task] * utterances),
        ):
            lines = [f"u{i:03} {value}\n" for i, value in enumerate(values)]
            (folder / file).write_text("".join(lines))


def write_seed(data: Path, exp: Path, seed: int, shares: dict[str, float]) -> None:
    """Write hypotheses of all systems and their scores: SYSTEM/SET."""
    for number, (system, share) in enumerate(shares.items()):
        for name in SETS:
            fixed = 0 if system == "zero" else 1 + seed
            chance = np.random.default_rng([fixed, number])
            place = exp / system / name
            place.mkdir(parents=True)
            lines = (data / name / "text").read_text().splitlines()
            texts = {}
            for line in lines:
                key, *words = line.split()
                texts[key] = " ".join(spoil(chance, words, share))
            text = "".join(f"{key} {value}\n" for key, value in texts.items())
            (place / "text").write_text(text)
            records = {
                key: {"text": value, "language": "en", "heard": "en"}
                for key, value in texts.items()
            }
            mode = {**MODE, "hear": True}
            content = {"mode": mode, "utterances": records}
            (place / "text.json").write_text(json.dumps(content))
            score_directories(data / name, [place])


def rows_of(exps, systems):
    """Return the directories of each system, of all seeds, the base once."""
    return {
        system: [
            exp / system / name
            for exp in (exps[:1] if system == "zero" else exps)
            for name in SETS
        ]
        for system in systems
    }

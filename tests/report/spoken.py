"""An experiment with texts and audio, scored: what ``espnet-merge report`` reads."""

import json
import shlex
from pathlib import Path

import numpy as np
import soundfile
import yaml

from espnet_merge.__main__ import main

NASTY = "</script><img src=x onerror=alert(1)> & 'peor' <!-- 👋"

REFERENCES = {
    "es_test": {
        "es-1": "Hola, mundo.",
        "es-2": "uno dos tres",
        "es-3": NASTY,
        "es-4": "sin audio",
    },
    "ar_test": {"ar-1": "السلام عليكم"},
    "zh_test": {"zh-1": "你好世界"},
}

# Hypotheses that differ from the reference; all others equal it.
HYPOTHESES = {
    "zero_shot": {
        "es-1": "ola mundo",
        "es-2": "uno dos tres tres tres",
        "es-4": "",
        "ar-1": "عليكم",
        "zh-1": "你坏世",
    },
    "full_es": {"es-2": "uno tres", "ar-1": "نعم"},
    "ta_1": {"es-1": "hola", "es-2": "uno dos dos tres"},
    "ta_03": {"es-1": "hola mundos", "es-2": "una dos"},
    "ta_05": {"es-2": "uno dos", "es-3": "malo"},
}
SCALES = {"ta_03": 0.3, "ta_05": 0.5, "ta_1": 1.0}
MODE = {"pad_to": 0, "beam": 1, "language": None, "model_sha256": "5a" * 32}

OPTIONS = shlex.split(
    "--base zero_shot --experts es=full_es --merges ta_1 ta_03 ta_05 "
    "--group es=es_test --inference greedy --sets es_test ar_test zh_test"
)


def write_spoken(root: Path) -> Path:
    """Write ``root/data`` and ``root/exp``, score, and return ``root/exp``."""
    exp = root / "exp"
    for name, texts in REFERENCES.items():
        data = root / "data" / name
        write_data(data, texts)
        folders = [exp / s / "inference_greedy" / name for s in HYPOTHESES]
        for system, folder in zip(HYPOTHESES, folders, strict=True):
            folder.mkdir(parents=True)
            write_table(folder / "text", {**texts, **changed(system, texts)})
            (folder / "text.json").write_text(json.dumps({"mode": MODE}))
        main(["score", "--ref", str(data), "--hyp", *map(str, folders)])
    for system, scale in SCALES.items():
        (exp / system / "model").mkdir()
        merge = {"method": "task_arithmetic", "params": {"scale": scale}, "experts": []}
        (exp / system / "model" / "merge.yaml").write_text(yaml.safe_dump(merge))
    return exp


def write_report(exp: Path, output: Path, *options: str) -> Path:
    """Run ``espnet-merge report`` and return the page."""
    where = ["--expdir", str(exp), "--output", str(output)]
    main(["report", *where, *OPTIONS, *options])
    return output / "report.html"


def write_data(data: Path, texts: dict[str, str]) -> None:
    """Write a data directory with half a second of sound for all but ``es-4``."""
    data.mkdir(parents=True)
    language = data.name.partition("_")[0]
    write_table(data / "text", texts)
    write_table(data / "utt2lang", dict.fromkeys(texts, language))
    write_table(data / "wav.scp", {name: str(data / f"{name}.wav") for name in texts})
    time = np.arange(24_000) / 48_000
    tone = 0.2 * np.sin(2 * np.pi * 440 * time)
    for name in set(texts) - {"es-4"}:
        soundfile.write(data / f"{name}.wav", np.stack([tone, tone], 1), 48_000)


def write_table(path: Path, table: dict[str, str]) -> None:
    path.write_text("".join(f"{k} {v}\n" for k, v in table.items()), "utf-8")


def changed(system: str, texts: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in HYPOTHESES[system].items() if name in texts}

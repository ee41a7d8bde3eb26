"""The commands of docs/own_corpus.md run, on a corpus and a Whisper made up here."""

import csv
import os
import re
import subprocess
from pathlib import Path

import pytest
import soundfile

from espnet_merge.__main__ import main
from espnet_merge.corpora.formats import NAMES
from espnet_merge.data.kaldi import read_kaldi
from tests.recipes.data import RECORDINGS
from tests.recipes.test_merge1 import OPTIONS, ROOT, Recipe

PAGE = (ROOT / "docs" / "own_corpus.md").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
SPEAKERS, EACH = 4, 3


def write_corpus(folder: Path) -> None:
    """Real recordings, as if several people had said different things."""
    texts = ["uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"]
    texts += ["diez", "once", "doce"]
    clips = sorted(RECORDINGS.glob("es-*.flac"))
    (folder / "clips").mkdir(parents=True)
    with (folder / "clips.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["client_id", "path", "sentence"])
        for number, text in enumerate(texts):
            samples, rate = soundfile.read(clips[number % len(clips)])
            path = f"clips/{number}.{'mp3' if number % 2 else 'wav'}"
            soundfile.write(folder / path, samples, rate)
            writer.writerow([f"speaker {number // EACH}", path, text])


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, micro_whisper, warm):
    """A tree like the clone, in which the page's commands are run."""
    tree = tmp_path_factory.mktemp("clone")
    write_corpus(tree / "corpus")
    return Recipe(tree, micro_whisper, warm, set_up=False)


def shorten(recipe: Recipe) -> str:
    """Return the words that make run.sh quick: the page's user has a GPU."""
    words = {**OPTIONS, "base": str(recipe.base)}
    words |= {"kinds": "full", "merge_configs": "soup tsv_m"}
    for name in ("experts", "test_sets", "lora_config"):
        del words[name]
    return " ".join(f"--{name} '{value}'" for name, value in words.items())


def test_commands_lead_from_a_table_to_scores(recipe):
    root = recipe.directory.parents[2]
    lines = [
        line.replace("egs2/mine/", "egs2/micro/")
        .replace("/corpus/", f"{root}/corpus/")
        .replace("./run.sh", f"./run.sh {shorten(recipe)}")
        for line in COMMANDS
    ]
    env = recipe.env()
    env["PATH"] = f"{recipe.venv / 'bin'}:{env['PATH']}"
    script = "set -euo pipefail\n" + "\n".join(lines)
    done = subprocess.run(
        ["bash", "-c", script], cwd=root, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-3000:]
    assert re.search(r"data/es_train +6 ", done.stdout)
    splits = [
        read_kaldi(recipe.directory / "data" / f"es_{s}") for s in ("train", "test")
    ]
    speakers = [set(tables["utt2spk"].values()) for tables in splits]
    assert speakers[0]
    assert not speakers[0] & speakers[1]
    results = (recipe.directory / "exp" / "RESULTS.md").read_text("utf-8")
    for system in ("zero_shot", "full_es", "soup", "tsv_m"):
        assert f"| {system} " in results.replace("*", "")
    assert "joint" not in os.listdir(recipe.directory / "exp")
    assert re.search(r"^wer +basic +[0-9.]+", done.stdout, re.MULTILINE)


def test_every_format_has_a_row():
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == [*NAMES]


def test_table_that_is_shown_is_printed(tmp_path, monkeypatch, capsys):
    """Its form; the reasons that the page lists are tested where they arise."""
    write_corpus(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = ["--audio-column", "path", "--text-column", "sentence", "--lang", "es"]
    main(["import", "clips.csv", "--from", "csv", *words])
    (shown,) = re.findall(r"```\n(data/.*?)```", PAGE, re.DOTALL)
    printed = capsys.readouterr().out.splitlines()
    form, found = (
        [re.sub(r"[\d.]+", "N", re.sub(" +", " ", line)) for line in lines[:3]]
        for lines in (shown.splitlines(), printed)
    )
    assert found == form

"""Every command of the README runs, on micro models in place of real ones."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from espnet_merge.__main__ import main
from tests.recipes.data import write_corpus
from tests.recipes.finished import move

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
COMMANDS = [line.partition(" #")[0].strip() for b in BLOCKS for line in b.splitlines()]


def commands(prefix: str) -> list[list[str]]:
    return [shlex.split(line) for line in COMMANDS if line.startswith(prefix)]


def test_every_command_is_tested_here():
    prefixes = ("make ", "espnet-merge ", "egs2/")
    assert COMMANDS
    assert [line for line in COMMANDS if not line.startswith(prefixes)] == []


def test_links_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if ":" not in link]
    assert len(links) > 5
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_short_enough():
    assert len(README.splitlines()) < 150


def test_all_say_the_same_two_commands():
    two = re.search(r"```sh\n(make demo .*\nmake test .*\n)```", README)
    assert two.group(0) in (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert (ROOT / ".ci" / "run").read_text("utf-8").endswith("\nexec make check\n")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(r"^check: lint test\b", makefile, re.MULTILINE)


@pytest.mark.parametrize("words", commands("make "), ids=" ".join)
def test_make_targets_exist(words):
    done = subprocess.run(
        ["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


RUNS = [words for words in commands("egs2/") if words[0].endswith("/run.sh")]


@pytest.mark.parametrize("words", RUNS, ids=" ".join)
def test_recipe_options_exist(words):
    # The options are read before --help is: an unknown one would end with 2.
    done = subprocess.run(
        [ROOT / words[0], *words[1:], "--help"] if "--help" not in words else
        [ROOT / words[0], "--help"], capture_output=True, text=True
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "--merge_configs" in done.stdout


@pytest.mark.parametrize("words", commands("egs2/TEMPLATE"), ids=" ".join)
def test_recipe_is_made(words, tmp_path):
    shutil.copytree(ROOT / "egs2" / "TEMPLATE", tmp_path / "egs2" / "TEMPLATE")
    (tmp_path / "conf").mkdir()
    shutil.copy(ROOT / "conf" / "slurm.conf", tmp_path / "conf")
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    assert os.access(tmp_path / words[1] / "run.sh", os.X_OK)


def test_command_line(micro_whisper, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_corpus(Path("dump/raw"))
    Path("conf").symlink_to(ROOT / "conf")
    for seed, name in enumerate(("full_es", "full_it")):
        move(shutil.copytree(micro_whisper, Path("exp", name, "model")), seed)
    for words in commands("espnet-merge "):
        if words[1] == "fetch":
            words[2] = str(micro_whisper)
        if words[1] == "search":  # short, and without a set that must be formatted
            words.remove("dump/raw/it_valid")
            words += ["--trials", "2"]
        main(words[1:])
    assert re.search(r"^wer +basic +[0-9.]+", capsys.readouterr().out, re.MULTILINE)
    assert Path("exp/tsv_m/es_test/score.json").is_file()
    assert "density: 0.3" in Path("exp/ties/model/merge.yaml").read_text()

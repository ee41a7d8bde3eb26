"""The example of docs/recipes.md prepares a corpus, and its options exist."""

import argparse
import re
import shlex
import subprocess
from importlib import import_module
from pathlib import Path

from espnet_merge.__main__ import add_options
from espnet_merge.data.kaldi import read_kaldi
from tests.docs.commands import commands_of
from tests.recipes.corpora import clip
from tests.recipes.tree import ROOT, Tree

PAGE = ROOT / "docs" / "recipes.md"
TEXT = PAGE.read_text("utf-8")


def block(language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    (found,) = [text for text in blocks if containing in text]
    return found


def test_example_prepares_a_corpus(tmp_path):
    tree = Tree(tmp_path, "prompts")
    (tree.recipe / "local" / "prepare.py").write_text(block("python", "write_sets"))
    (tree.recipe / "local" / "data.sh").write_text(block("bash", "local/prepare.py"))
    clips = tree.recipe / "corpus" / "clips"
    clips.mkdir(parents=True)
    for number, split in enumerate(("train", "valid", "test")):
        (clips / f"{number}.mp3").write_bytes(clip("mp3"))
        table = clips.parent / f"{split}.tsv"
        table.write_text(f"ana\t{number}\tBuenos días.\n", "utf-8")
    for _ in range(2):
        done = tree.run("local/data.sh")
        assert done.returncode == 0, done.stderr
    assert done.stderr == "data: es is there already\n"
    tables = read_kaldi(tree.data / "es_test")
    assert tables["text"] == {"es-ana-2": "Buenos días."}
    assert tables["utt2spk"] == {"es-ana-2": "es-ana"}


def test_options_exist():
    lines = re.findall(r"^\./run\.sh (.*?)(?:  +#.*)?$", TEXT, re.MULTILINE)
    assert lines
    script = Path("egs2") / "prompts" / "merge1" / "run.sh"
    known = subprocess.run(
        [ROOT / script, "--help"], capture_output=True, text=True, check=True
    ).stdout
    for option in re.findall(
        r"--([a-z_]+)", " ".join(lines).replace("--max_epoch", "")
    ):
        assert f"--{option}" in known


def test_commands_have_such_options():
    # What they do takes whole runs, or a browser: tests/report, tests/listening.
    lines = [shlex.split(line) for line in commands_of(TEXT)]
    commands = [words[1:] for words in lines if words[0] == "espnet-merge"]
    for name, *words in commands:
        kind = import_module(f"espnet_merge.bin.{name}").Command
        parser = argparse.ArgumentParser()
        add_options(kind, parser)
        parser.parse_args(words)
    assert [name for name, *_ in commands] == ["report", "listen"]

"""The example of docs/recipes.md prepares a corpus, and its links lead somewhere."""

import re
import subprocess
from pathlib import Path

from espnet_merge.data.kaldi import read_kaldi
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
    (tree.recipe / "local" / "data.sh").write_text(block("sh", "local/prepare.py"))
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


def test_links_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", TEXT) if ":" not in link]
    assert len(links) >= 3
    assert [link for link in links if not (PAGE.parent / link).exists()] == []


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

"""Each command of docs/deploy.md is run, one after the other, on a micro Whisper."""

import re
import shlex
import shutil

import pytest

from espnet_merge.__main__ import main
from espnet_merge.export.bundle import RANKS
from tests.docs.commands import commands_of, page
from tests.export.conftest import speaking, vocabulary, write_adapter
from tests.formats import write_own

__all__ = ["speaking", "vocabulary"]
TEXT = page("deploy")


@pytest.fixture(scope="module")
def tree(speaking, tmp_path_factory):
    """What the page takes for granted: a base, a soup, two adapters, a training."""
    root = tmp_path_factory.mktemp("deploy")
    # The names that the page gives to what is there.
    shutil.copytree(speaking.hf, root / "exp/base")
    shutil.copytree(speaking.hf, root / "exp/soup/model")
    shutil.copytree(speaking.peft, root / "exp/lora_es/model")
    write_adapter(speaking.hf, root / "exp/lora_it", seed=1).rename(root / "it")
    (root / "exp/lora_it").mkdir()
    (root / "it").rename(root / "exp/lora_it/model")
    write_own(speaking.base, root / "exp/own/10epoch.pth")
    shutil.copytree(speaking.data, root / "dump/raw/es_test")
    return root


@pytest.mark.parametrize("command", commands_of(TEXT))
def test_a_command_of_the_page_is_done(tree, command, monkeypatch, capsys):
    monkeypatch.chdir(tree)
    program, *words = shlex.split(command)
    assert program == "espnet-merge"
    main(words)
    output = tree / words[words.index("--output") + 1]
    assert any(output.iterdir())
    printed = capsys.readouterr().out
    if {"--check", "bundle"} & set(words):
        assert masked(printed) <= masked(TEXT)


def masked(text):
    """Return the lines of a text without its numbers."""
    return {re.sub(r"\d[\d.]*", "N", line) for line in text.splitlines()}


def test_ranks_are_those_of_the_page():
    assert f"ranks {', '.join(map(str, RANKS[:-1]))} and {RANKS[-1]}" in (
        " ".join(TEXT.split())
    )

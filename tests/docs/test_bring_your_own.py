"""The commands of docs/bring_your_own.md run, on micro models and a hub of our own.

Its recipe is run by ``tests/recipes/test_taken.py``.
"""

import json
import shlex
from pathlib import Path

import pytest

from espnet_merge.__main__ import main
from tests.docs.commands import ROOT, commands_of, page
from tests.formats import write_adapter, write_checkpoint, write_fine_tuned
from tests.recipes.data import write_corpus
from tests.whisper.hub_server import publish, serving, take_for_the_hub

COMMANDS = [shlex.split(line) for line in commands_of(page("bring_your_own"))]


@pytest.fixture
def checkpoint(tmp_path, micro_whisper):
    """A model in a directory; beside it, on the hub, a model and an adapter."""
    repositories = tmp_path / "hub" / "someone"
    write_fine_tuned(micro_whisper, repositories / "whisper-small-es", 1)
    write_adapter(repositories / "lora-it", micro_whisper)
    return write_checkpoint(tmp_path / "checkpoint-500", micro_whisper)


def test_commands(checkpoint, tmp_path, micro_whisper, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_corpus(Path("dump/raw"))
    Path("conf").symlink_to(ROOT / "conf")
    with serving(tmp_path / "hub") as hub:
        publish(hub, "openai/whisper-small", micro_whisper)
        take_for_the_hub(hub, tmp_path / "cache", monkeypatch)
        for words in COMMANDS:
            if words[0] == "espnet-merge":
                place = "/models/whisper-small-es/checkpoint-500"
                main([str(checkpoint) if word == place else word for word in words[1:]])
    assert Path("exp/lora/it_test/text").is_file()
    assert "someone/lora-it@" in Path("exp/ties/model/merge.yaml").read_text()
    record = json.loads(Path("exp/es/model/fetch.json").read_text())
    assert (record["pad_to"], record["tail"]) == (0, 4)


def test_every_command_is_tested_here():
    assert {words[0] for words in COMMANDS} == {"espnet-merge", "./run.sh"}

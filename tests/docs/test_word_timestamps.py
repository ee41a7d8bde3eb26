"""The command of docs/word_timestamps.md runs, on a micro model."""

import json
import shlex
import shutil
from pathlib import Path

from espnet_merge.__main__ import main
from tests.alignment.test_align_heads import short_whisper, write_ctm
from tests.docs.commands import commands_of, page
from tests.speech import write_data

__all__ = ["short_whisper"]
COMMANDS = [shlex.split(line) for line in commands_of(page("word_timestamps"))]


def test_commands(short_whisper, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(short_whisper, "exp/ties/model")
    data = write_data(Path("dump/raw/en_valid"), languages=("en",), count=2)
    write_ctm(data, Path("exp/en_valid.ctm"))
    for program, *words in COMMANDS:
        assert program == "espnet-merge"
        main(words)
    (line, *_) = capsys.readouterr().out.splitlines()
    file = Path("exp/ties/model/generation_config.json")
    heads = json.loads(file.read_text("utf-8"))["alignment_heads"]
    assert line == f"alignment_heads: {heads}"

"""The commands of docs/publishing.md run, on a merge and a hub of our own."""

import shlex
import subprocess
import sys
from pathlib import Path

from huggingface_hub import ModelCard

from espnet_merge.__main__ import main
from tests.bin.test_compare import write_set
from tests.card.conftest import hub, merged, models
from tests.docs.commands import commands_of, page

__all__ = ["hub", "merged", "models"]
# Those of leaderboards need recordings: tests/card and tests/score run them.
TEXT = page("publishing").partition("## Leaderboards")[0]
COMMANDS = [shlex.split(line) for line in commands_of(TEXT)]


def test_commands(hub, merged, tmp_path):
    systems = [f"exp/{name}/inference_padded" for name in ("ties", "zero_shot")]
    ref = write_set(tmp_path, "es_test", dict(zip(systems, (5, 20), strict=True)))
    for system in systems:
        main(["score", "--ref", str(ref), "--hyp", f"{system}/es_test"])
    ran = []
    for program, *words in COMMANDS:
        if program == "espnet-merge":
            main(words)
        else:
            # The login asks for a token: that there is such a command is tested.
            client = Path(sys.executable).with_name(program)
            subprocess.run([client, *words, "--help"], check=True, capture_output=True)
        ran.append(words[0])
    assert ran == ["card", "auth", "push"]
    sent = hub.files["me/whisper-ties"]
    assert sent["README.md"] == (merged / "README.md").read_bytes()
    (result,) = ModelCard(sent["README.md"].decode()).data.eval_results
    assert result.dataset_name == "es_test"

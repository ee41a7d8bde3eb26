"""Options and configuration, held to what Kaldi's own slurm.pl makes of them."""

import os
import re
import shlex
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from espnet_merge.cluster.request import Settings, read_request
from espnet_merge.errors import InputError

ROOT = Path(__file__).parents[2]
KALDI = "tools/espnet/egs2/TEMPLATE/asr1/utils/slurm.pl"


@pytest.fixture(autouse=True)
def configured(tmp_path, monkeypatch):
    (tmp_path / "conf").mkdir()
    shutil.copy(ROOT / "conf" / "slurm.conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)


def kaldi(*words: str) -> tuple[list[str], str]:
    """Return the words of sbatch, and the command, that slurm.pl makes."""
    binaries = Path("bin")
    binaries.mkdir()
    (binaries / "sbatch").write_text('#!/bin/sh\nprintf "%s\\n" "$@" >words\nexit 1\n')
    (binaries / "sbatch").chmod(0o755)
    Path("q").mkdir()  # it sleeps for 5 s where it must make that
    path = f"{binaries.absolute()}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    script = os.environ.get("ESPNET_ROOT", ROOT / "tools" / "espnet")
    subprocess.run(
        ["perl", Path(script) / KALDI.removeprefix("tools/espnet/"), *words],
        env=environment,
        capture_output=True,
    )
    text = Path("q/x.sh").read_text("utf-8")
    command = re.search(r"^ \( (.*) \) &>>", text, re.MULTILINE)[1]
    return Path("words").read_text("utf-8").splitlines(), command


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--mem", "4G"],
        ["--mem", "0", "--num-threads", "3"],
        ["--num_threads", "1", "--gpu", "2", "--time", "4:0:0"],
        ["--num_nodes", "2", "--name", "full_es", "-q", "long"],
    ],
)
def test_words_of_sbatch_are_those_of_kaldi(options):
    found = read_request([*options, "x.log", "true"])
    theirs, _ = kaldi(*options, "x.log", "true")
    # Theirs end with where the output goes, and the script.
    theirs = theirs[: theirs.index("--open-mode=append")]
    assert found.words[0] == "sbatch"
    assert Counter(found.words[1:]) == Counter(theirs)


@pytest.mark.parametrize(
    "command",
    [
        ["echo", "a", "|", "tr", "a", "b"],
        ["echo", "two words", 'a "quoted" one', ""],
        ["echo", "$HOME", "a>b", "it's"],
    ],
)
def test_command_is_that_of_kaldi(command):
    found = read_request(["x.log", *command])
    _, theirs = kaldi("x.log", *command)
    assert found.command == theirs.rstrip()


def test_array_may_stand_between_options():
    found = read_request(
        ["--mem", "1G", "JOB=2:4", "--max-jobs-run", "2", "x.JOB.log", "echo", "JOB"]
    )
    assert (found.name, list(found.tasks)) == ("JOB", [2, 3, 4])
    assert found.settings == Settings(max_jobs_run=2)
    assert str(found.log_of(3)) == "x.3.log"
    assert read_request(["JOB=7", "x.log", "true"]).tasks == range(7, 8)


def test_free_options_go_to_sbatch():
    free = "--account=a --comment='two words'"
    found = read_request(["--sbatch", free, "--retries", "0", "x.log", "true"])
    assert list(found.words[-2:]) == shlex.split(free)
    assert found.settings == Settings(retries=0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x.log"], "a log and a command are needed"),
        (["--mem"], "--mem needs a value"),
        (["--colour", "red", "x.log", "true"], "option colour=red is not described"),
        (["--poll", "often", "x.log", "true"], "--poll must be a whole number from 0"),
        (["JOB=3:1", "x.JOB.log", "true"], "a range of tasks must be 1:n, upwards"),
        (["JOB=0:1", "x.JOB.log", "true"], "a range of tasks must be 1:n, upwards"),
        (["JOB=1:2", "x.log", "true"], "each of 2 tasks needs a log of its own"),
        (["--config", "none", "x.log", "true"], "none must be readable"),
    ],
)
def test_mistakes_are_named(words, message):
    with pytest.raises(InputError, match=re.escape(message)):
        read_request(words)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("option mem=*\n", "a line 'command sbatch ...' is needed"),
        (
            "command sbatch\nmem=3\n",
            "a line must begin with command, option or default",
        ),
    ],
)
def test_configuration_that_cannot_be_read(text, message):
    Path("conf/slurm.conf").write_text(text)
    with pytest.raises(InputError, match=re.escape(message)):
        read_request(["x.log", "true"])

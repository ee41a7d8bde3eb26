"""What is released: the sdist is the repository, and the wheel merges by itself."""

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from espnet_merge.__main__ import COMMANDS, main
from espnet_merge.version import __version__
from tests.checkpoint.build import fine_tuned, whisper_tensors, write_checkpoint
from tests.packaging import clean

ROOT = Path(__file__).parents[2]
CORE = {
    *("numpy", "scipy", "numba", "pyyaml", "huggingface-hub", "threadpoolctl", "tqdm"),
    *("packaging", "shtab"),
}
EXTRAS = {"score", "decode", "search", "train", "ctranslate2", "onnx", "export", "all"}
DATA = ("--data", "data", "--output", "out")
MODELS = ("--base", "base", "--experts", "e1", "e2")
# Tests of code, of what a recipe's scripts say, and of pages: each reads other files.
SOME = (
    *("tests/methods/test_ties.py", "tests/merging/test_config.py"),
    *("tests/docs/test_pages.py", "tests/docs/test_recipes.py"),
)
# Imports the file of each command, and makes its parser.
HELP = """
from espnet_merge.__main__ import COMMANDS, main
for name in COMMANDS:
    try:
        main([name, "--help"])
    except SystemExit as end:
        assert not end.code, name
"""


@pytest.fixture
def foreign(tmp_path):
    """A directory of two experts, in a git repository of somebody else's."""
    base = whisper_tensors()
    write_checkpoint(tmp_path / "base", base, vocabulary={"a": 0})
    for seed in (1, 2):
        write_checkpoint(tmp_path / f"e{seed}", fine_tuned(base, seed))
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "theirs"]):
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True)
    return tmp_path


def test_the_sdist_is_the_repository(built):
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode != 0:
        pytest.skip("needs the repository, and these sources are not under git")
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert set(tracked.stdout.splitlines()) - names == set()
    made = {name for name in names if re.search(r"^\.venv|^tools/espnet/|\.pyc$", name)}
    assert made == set()


def test_tests_of_the_sdist_run(built, tmp_path):
    with tarfile.open(built[0]) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SOME]
    env = os.environ | {"PYTHONPATH": str(tree)}
    done = subprocess.run(words, cwd=tree, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    where = [sys.executable, "-c", "import espnet_merge; print(*espnet_merge.__path__)"]
    told = subprocess.run(where, cwd=tree, env=env, capture_output=True, text=True)
    assert told.stdout == f"{tree / 'espnet_merge'}\n"


def test_merging_needs_no_torch_and_each_extra_is_there(built):
    told = clean.metadata_of(built[1])
    requirements = told.get_all("Requires-Dist")
    core = {r.name for r in map(Requirement, requirements) if not r.marker}
    assert core == CORE
    assert set(told.get_all("Provides-Extra")) >= EXTRAS
    assert told["Version"] == __version__
    needed = clean.closure(clean.required(requirements))
    assert needed & {"torch", "transformers", "espnet", "peft"} == set()
    assert {r.name for r in clean.required(requirements, "all")} > {"torch", "espnet"}


@pytest.mark.parametrize("method", ["ties", "tsv_m"])
def test_a_clean_environment_merges(environment, foreign, monkeypatch, method):
    words = ("merge", "--method", method, *MODELS)
    done = environment.run(environment.command, *words, "--output", "out", cwd=foreign)
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(foreign)
    main([*words, "--output", "here"])
    weights = "model.safetensors"
    assert Path("out", weights).read_bytes() == Path("here", weights).read_bytes()
    record = yaml.safe_load(Path("out", "merge.yaml").read_text("utf-8"))
    assert "torch" not in record["versions"]


@pytest.mark.parametrize(
    "words",
    [
        ("--version",),
        ("methods",),
        ("doctor",),
        ("inspect", *MODELS),
        ("sweep", "--method", "ties", *MODELS, "--output", "out"),
    ],
    ids=lambda words: words[0],
)
def test_what_else_needs_no_extra(environment, foreign, words):
    done = environment.run(environment.command, *words, cwd=foreign)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_every_command_explains_itself(environment, tmp_path):
    done = environment.run(environment.python, "-c", HELP, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("usage: espnet-merge") == len(COMMANDS)


@pytest.mark.parametrize(
    ("words", "module", "extra"),
    [
        (("inspect", *MODELS, "--output", "out"), "matplotlib", "score"),
        (("score", "--ref", "data", "--hyp", "data"), "rapidfuzz", "score"),
        (("decode", "--model", "base", *DATA), "", "decode"),
        (("fetch", "base", "--output", "out"), "", "decode"),
        (("learn", *MODELS, *DATA), "", "decode"),
        (("whisper_train",), "", "train"),
    ],
    ids=lambda words: words[0] if isinstance(words, tuple) else "",
)
def test_the_extra_that_is_missing_is_named(environment, foreign, words, module, extra):
    data = foreign / "data"
    data.mkdir()
    for table, value in {"text": "a b", "utt2lang": "es", "wav.scp": "a.wav"}.items():
        (data / table).write_text(f"u {value}\n")
    command = [environment.command, *words]
    if words[0].endswith("_train"):
        command = [environment.python, "-m", f"espnet_merge.bin.{words[0]}"]
    done = environment.run(*command, cwd=foreign)
    assert done.returncode == 2, done.stderr
    assert f"error: {module}" in done.stderr
    remedy = f"is not installed: run pip install 'espnet_merge[{extra}]', or make setup"
    assert remedy in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_results_do_not_name_the_commit_of_another_project(environment, foreign):
    code = "from espnet_merge.report.environment import commit; print(commit())"
    # As where a virtual environment lies in a repository that ignores nothing of it.
    site = environment.python.parents[1]
    inside = foreign / "venv"
    inside.symlink_to(site)
    done = environment.run(inside / "bin" / "python", "-c", code, cwd=foreign)
    assert done.stdout == f"none, release {__version__}\n"

"""Configurations of the recipes differ from the shared ones where they say so."""

import subprocess

import pytest
import yaml

from espnet_merge.decode.settings import Settings
from espnet_merge.merging.config import read_config
from espnet_merge.methods import build_method
from espnet_merge.options import build, read_yaml
from tests.recipes.tree import ROOT

# What may differ on a larger machine, and with a paper. Merges take the defaults.
DIFFER = {"batch_size", "valid_batch_size", "num_workers", "log_interval", "device"}
CHOSEN = {"lr"}
SCRIPTS = [
    script
    for name in ("run.sh", "expand.sh")
    for script in sorted((ROOT / "egs2").glob(f"[a-z]*/merge1/{name}"))
]
FILES = sorted((ROOT / "egs2").glob("*/merge1/conf/*/*.yaml"))
# A recipe's own merge is another one; what trains or decodes is a shared file, changed.
MERGES = [file for file in FILES if file.parent.name == "merge"]
FILES = [file for file in FILES if file not in MERGES]


def flat(path):
    options = yaml.safe_load(path.read_text("utf-8"))
    return options.pop("optim_conf", {}) | options


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT / "egs2")))
def test_only_what_a_machine_or_a_paper_changes(file):
    own = flat(file)
    shared = flat(ROOT / "conf" / file.parent.name / file.name)
    assert own.keys() - shared.keys() <= {"device", "batch_size"}
    assert shared.keys() <= own.keys()
    changed = {key for key in shared if own[key] != shared[key]}
    assert changed <= DIFFER | CHOSEN


@pytest.mark.parametrize(
    "file", [f for f in FILES if f.parent.name == "decode"], ids=str
)
def test_settings_exist(file):
    assert build(Settings, read_yaml(Settings, file)).device == "cuda"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: "/".join(s.parts[-3::2]))
def test_options_are_those_of_the_template(script):
    # They are read before --help is: an unknown one would end with 2.
    done = subprocess.run([script, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "file", MERGES, ids=lambda f: str(f.relative_to(ROOT / "egs2"))
)
def test_a_merge_of_its_own_is_not_a_shared_one(file):
    config = read_config(file)
    method = build_method(config["method"], config["params"])
    assert not (ROOT / "conf" / "merge" / file.name).exists()
    assert method != build_method(config["method"], {})


def test_there_are_some():
    assert len(SCRIPTS) >= 4
    assert len(MERGES) >= 5
    assert {file.parent.name for file in FILES} == {"train", "decode"}

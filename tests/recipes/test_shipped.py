"""Configurations of the recipes differ from the shared ones where they say so."""

import pytest
import yaml

from espnet_merge.decode.settings import read_settings
from tests.recipes.tree import ROOT

# What may differ on a larger machine, and the learning rate of a paper.
DIFFER = {"batch_size", "valid_batch_size", "num_workers", "log_interval", "device"}
FILES = sorted((ROOT / "egs2").glob("*/merge1/conf/*/*.yaml"))


def flat(path):
    options = yaml.safe_load(path.read_text("utf-8"))
    return options.pop("optim_conf", {}) | options


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT / "egs2")))
def test_only_what_a_machine_or_a_paper_changes(file):
    own, shared = flat(file), flat(ROOT / "conf" / file.parent.name / file.name)
    assert own.keys() - shared.keys() <= {"device", "batch_size"}
    assert shared.keys() <= own.keys()
    changed = {key for key in shared if own[key] != shared[key]}
    assert changed <= DIFFER | {"lr"}


@pytest.mark.parametrize(
    "file", [f for f in FILES if f.parent.name == "decode"], ids=str
)
def test_settings_exist(file):
    assert read_settings(file, {}).device == "cuda"


def test_there_are_some():
    assert {file.parent.name for file in FILES} == {"train", "decode"}

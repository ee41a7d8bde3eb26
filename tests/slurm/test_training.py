"""A training of two nodes on a real SLURM, cut: parameters as of an undisturbed one."""

import json
import sys
from pathlib import Path

import pytest
import torch

from tests.slurm.recipe import OnCluster

pytestmark = pytest.mark.xdist_group("training")

OPTIONS = {
    "experts": "es",
    "test_sets": "es_test",
    "kinds": "full",
    "joint": "",
    "merge_configs": "",
    "train_args": "--max_epoch 4 --batch_size 2 --use_tensorboard false",
}
ON_TWO = {**OPTIONS, "num_nodes": "2", "stage": "7", "stop_stage": "7"}
# A set for validation with an utterance for each node.
DATA = """#!/usr/bin/env bash
set -e
{python} -m tests.recipes.data data
cp data/es_train/* data/es_valid
"""


@pytest.fixture(scope="module")
def recipe(daemons, tmp_path_factory, micro_whisper, warm) -> OnCluster:
    """A recipe that is about to train."""
    recipe = OnCluster(daemons, tmp_path_factory.mktemp("two"), micro_whisper, warm)
    data = recipe.directory / "local" / "data.sh"
    data.write_text(DATA.format(python=sys.executable), "utf-8")
    recipe.backend = "local"
    done = recipe.run(**OPTIONS, stop_stage="6")
    assert done.returncode == 0, done.stderr[-3000:]
    del recipe.backend
    return recipe


@pytest.fixture(scope="module")
def undisturbed(recipe, tmp_path_factory) -> dict[str, torch.Tensor]:
    """The parameters of a training that nothing happens to."""
    whole = recipe.copy(tmp_path_factory.mktemp("whole"))
    done = whole.run(**ON_TWO)
    assert done.returncode == 0, done.stderr[-3000:]
    log = (whole.directory / "exp" / "full_es" / "train.log").read_text("utf-8")
    assert "[n1:0/2]" in log or ":0/2]" in log  # both processes train one model
    return parameters(whole)


def parameters(recipe: OnCluster) -> dict[str, torch.Tensor]:
    file = recipe.directory / "exp" / "full_es" / "4epoch.pth"
    return torch.load(file, weights_only=True)


def job_of(recipe: OnCluster) -> str:
    record = recipe.directory / "exp" / "full_es" / "q" / "train.log" / "record.json"
    return json.loads(record.read_text("utf-8"))["attempts"][-1]["job"]


def started(cluster, recipe: OnCluster, epoch: int) -> Path:
    """Wait until a training of two nodes is in an epoch; return its log."""
    log = recipe.directory / "exp" / "full_es" / "train.log"
    cluster.wait_for(
        lambda: log.exists() and f"{epoch}/4epoch started" in log.read_text("utf-8"),
        180,
        "training",
    )
    return log


def ends_undisturbed(driver, cut: OnCluster, undisturbed) -> str:
    """See a run end with the parameters of one that nothing cut; return its words."""
    _, said = driver.communicate(timeout=900)
    assert driver.returncode == 0, said[-3000:]
    found = parameters(cut)
    assert all(torch.equal(found[name], undisturbed[name]) for name in undisturbed)
    return said


def test_training_saves_itself_before_its_time_limit(
    cluster, recipe, undisturbed, tmp_path
):
    cut = recipe.copy(tmp_path / "tree")
    cut.use(Path(sys.prefix))  # so that signals reach the processes
    driver = cut.start(**ON_TWO)
    log = started(cluster, cut, 1)
    cluster.run("scancel", "--batch", "--signal=USR1", job_of(cut))
    cluster.wait_for(lambda: "stopped in epoch" in log.read_text(), 60, "checkpoint")
    said = ends_undisturbed(driver, cut, undisturbed)
    assert "has saved what it did" in said
    assert "goes on in epoch" in log.read_text("utf-8")


def test_training_whose_job_is_requeued(cluster, recipe, undisturbed, tmp_path):
    """SLURM starts the same job again, where its processes must meet anew."""
    cut = recipe.copy(tmp_path / "tree")
    cut.use(Path(sys.prefix))
    driver = cut.start(**ON_TWO)
    log = started(cluster, cut, 2)
    job = job_of(cut)
    cluster.run("scontrol", "update", f"JobId={job}", "Requeue=1")
    cluster.run("scontrol", "requeue", job)
    said = ends_undisturbed(driver, cut, undisturbed)
    assert job_of(cut) == job, said
    assert "The training was resumed using" in log.read_text("utf-8")


def test_training_one_of_whose_nodes_loses_power(
    cluster, recipe, undisturbed, tmp_path
):
    """The other node's process cannot go on alone; the job is submitted again."""
    cut = recipe.copy(tmp_path / "tree")
    cut.use(Path(sys.prefix))
    driver = cut.start(**ON_TWO)
    log = started(cluster, cut, 2)
    cluster.cut_power("n2")
    cluster.run("scontrol", "update", "NodeName=n2", "State=DOWN", "Reason=test")
    cluster.start("n2")
    said = ends_undisturbed(driver, cut, undisturbed)
    assert "lost its node [NODE_FAIL]" in said
    assert "The training was resumed using" in log.read_text("utf-8")


def test_set_that_is_smaller_than_the_processes_is_told(recipe, tmp_path):
    small = recipe.copy(tmp_path / "tree")
    options = {**ON_TWO, "train_args": "--max_epoch 1 --batch_size 1"}
    done = small.run(**options)
    assert done.returncode == 2
    line = "each of 2 processes needs an utterance of every batch; a batch has 1: train"
    assert line in done.stderr

"""The recipe's own stages on a real SLURM, with faults: the results of a local run."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.slurm.recipe import FEWER, OnCluster, without_expert

# One process has what is trained, while the other waits for the client's faults.
pytestmark = pytest.mark.xdist_group("recipe")


def ends_as(recipe: OnCluster, expected: dict[str, bytes]) -> None:
    """Run what is left, and compare."""
    done = recipe.run(**FEWER)
    assert done.returncode == 0, done.stderr[-3000:]
    assert recipe.results() == expected


def test_node_without_power_in_training(cluster, trained, expected, tmp_path, noticed):
    recipe = without_expert(trained.copy(tmp_path / "tree"), "full_es")
    venv = recipe.venv.resolve()
    recipe.use(Path(sys.prefix))  # what is killed must be a process of the job
    driver = recipe.start(**FEWER, stage="7", stop_stage="7")
    expert = recipe.directory / "exp" / "full_es"
    cluster.wait_for((expert / "train.log").exists, 180, "training")
    (node,) = {line.split()[2] for line in cluster.jobs() if "full_es" in line}
    cluster.cut_power(node)
    cluster.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    launch = expert / "launch.log"
    noticed(
        cluster.wait_for(lambda: "NODE_FAIL" in launch.read_text(), 60, "notice"), 15
    )
    cluster.start(node)
    _, said = driver.communicate(timeout=900)
    assert driver.returncode == 0, said[-3000:]
    assert "lost its node [NODE_FAIL]" in said
    recipe.use(venv)
    ends_as(recipe, expected)


def test_driver_that_is_ended_in_decoding(
    cluster, trained, expected, tmp_path, noticed
):
    recipe = trained.copy(tmp_path / "tree")
    driver = recipe.start(**FEWER, stage="8")
    place = recipe.directory / "exp" / "soup" / "inference_true_length"
    cluster.wait_for(place.exists, 120, "decoding")
    driver.send_signal(signal.SIGTERM)
    _, said = driver.communicate(timeout=900)
    assert driver.returncode == 143
    assert "ended by TERM" in said
    assert not cluster.jobs()
    ends_as(recipe, expected)
    start = time.monotonic()
    assert recipe.run(**FEWER, stage="7", stop_stage="9").returncode == 0
    noticed(time.monotonic() - start, 8)  # nothing is done again


def test_disk_that_is_full_in_one_task(cluster, trained, expected, tmp_path):
    """The merge by soup has no room; the other goes on, and so does a later run."""
    recipe = trained.copy(tmp_path / "tree")
    place = recipe.directory / "exp" / "soup"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", place]
    subprocess.run(mount, check=True)
    try:
        done = recipe.run(**FEWER, stage="8", stop_stage="8")
        assert done.returncode == 2
        assert (
            "exp/soup/model: cannot be written: No space left on device" in done.stderr
        )
        assert (recipe.directory / "exp" / "tsv_m" / "model").exists()
        assert not (place / "model").exists()
        subprocess.run(["mount", "-o", "remount,size=1g", place], check=True)
        ends_as(recipe, expected)
    finally:
        subprocess.run(["umount", place], check=True)


def test_two_drivers_at_once(cluster, trained, expected, tmp_path):
    recipe = trained.copy(tmp_path / "tree")
    drivers = [recipe.start(**FEWER, stage="8") for _ in range(2)]
    said = [driver.communicate(timeout=900)[1] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], said
    assert sum("waiting for them" in one for one in said) == 1
    assert recipe.results() == expected

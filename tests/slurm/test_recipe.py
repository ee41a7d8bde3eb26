"""The recipe's own stages on a real SLURM, with faults: the results of a local run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.recipe import FEWER, OnCluster, without_expert

# One process has what is trained, while the other waits for the client's faults.
pytestmark = pytest.mark.xdist_group("recipe")
HELD = ("RUNNING", "SUSPENDED")


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
    noticed(cluster.wait_for(lambda: "NODE_FAIL" in launch.read_text(), 30, "notice"))
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
    done = recipe.run(**FEWER)
    noticed(time.monotonic() - start)
    assert "ing by" not in done.stderr  # nothing is done again


class Decoding:
    """A run of which some decoding is suspended.

    Attributes:
        job: its number.
    """

    def __init__(self, cluster, recipe: OnCluster, driver) -> None:
        self.cluster, self.recipe, self.driver = cluster, recipe, driver

    def tasks(self) -> list[list[str]]:
        """Number, state and node of each decoding that runs or is suspended."""
        lines = [line.split() for line in self.cluster.jobs()]
        return [x for x in lines if x[-1] == "decode" and x[1] in HELD]

    def hold(self) -> None:
        self.cluster.wait_for(self.tasks, 180, "decoding")
        self.job = self.tasks()[0][0].split("_")[0]
        self.cluster.run("scontrol", "suspend", self.job)
        (self.task, _, self.node, _), *_ = self.tasks()

    def go_on(self) -> None:
        self.cluster.run("scontrol", "resume", self.job, check=False)  # what is left

    def kill_driver(self) -> None:
        """End all processes of the run on this machine by signal 9."""
        if self.driver.poll() is None:
            os.killpg(self.driver.pid, signal.SIGKILL)
            self.driver.communicate()


@pytest.fixture
def decoding(cluster, trained, tmp_path) -> Iterator[Decoding]:
    """A run whose decoding is held where it is, for a fault to come."""
    recipe = trained.copy(tmp_path / "tree")
    run = Decoding(cluster, recipe, recipe.start(**FEWER, stage="8"))
    run.hold()
    yield run
    run.kill_driver()


def test_decoding_that_is_cancelled(decoding, cluster, expected, noticed):
    """What is not cancelled goes on; a later run does the rest."""
    start = time.monotonic()
    cluster.run("scancel", decoding.task)
    decoding.go_on()
    _, said = decoding.driver.communicate(timeout=900)
    noticed(time.monotonic() - start)
    assert decoding.driver.returncode == 2
    assert "was cancelled by somebody [CANCELLED]" in said
    ends_as(decoding.recipe, expected)


def test_daemons_that_are_killed_in_decoding(decoding, cluster, expected):
    """The controller, then a node's: the run ends by itself."""
    cluster.kill("slurmctld")
    cluster.start("slurmctld")
    cluster.wait_for(cluster.answers, 20, "controller")
    cluster.kill(decoding.node)
    cluster.start(decoding.node)
    decoding.go_on()
    _, said = decoding.driver.communicate(timeout=900)
    assert decoding.driver.returncode == 0, said[-3000:]
    assert decoding.recipe.results() == expected


def test_driver_that_is_killed_in_decoding(decoding, expected):
    """The next one goes on with the jobs of the first."""
    decoding.kill_driver()
    again = decoding.recipe.start(**FEWER)
    for line in again.stderr:
        if f"goes on with job {decoding.job}, " in line:
            break
    decoding.go_on()
    _, said = again.communicate(timeout=900)
    assert again.returncode == 0, said[-3000:]
    assert decoding.recipe.results() == expected


def test_configuration_that_changed_meanwhile(decoding, expected):
    """The old jobs end; another run with the old configuration makes all again."""
    decoding.kill_driver()
    done = decoding.recipe.run(**FEWER, decode_args="--max-new-tokens 2")
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"other command or inputs: job {decoding.job} is cancelled" in done.stderr
    assert not decoding.tasks()
    assert decoding.recipe.results() != expected
    done = decoding.recipe.run(**FEWER)
    assert (
        "decoding by soup: submitted to SLURM (option changed: --max-new-tokens"
        in done.stderr
    )
    assert decoding.recipe.results() == expected


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

"""The network of a node is cut: two copies of a task live, and one result counts."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster
from tests.slurm.conftest import Client
from tests.slurm.recipe import FEWER, without_expert

# One process has what is trained, while the other waits for the client's faults.
pytestmark = pytest.mark.xdist_group("recipe")

COMMAND = "echo on >>on.$SLURMD_NODENAME; sleep {}; echo $SLURMD_NODENAME has ended"


@pytest.fixture(scope="module")
def parted(daemons: Cluster) -> Iterator[Cluster]:
    """A cluster whose node n2 has a network of its own."""
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        pytest.skip("needs the right to make a network namespace")
    with Cluster(apart="n2") as cluster:
        yield cluster


@pytest.fixture
def cluster(parted: Cluster) -> Iterator[Cluster]:
    yield parted
    parted.heal()
    parted.reset()


def those_of(cluster: Cluster, node: str, module: str) -> list[int]:
    """Return the processes of a node's jobs that run a module of Python's."""
    found = []
    for process in cluster.processes(node):
        with suppress(OSError):
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            if module.encode() in words:
                found.append(process)
    return found


def given_up(cluster: Cluster, node: str) -> None:
    """Wait until SLURM has noticed that a node does not answer."""
    words = ("sinfo", "-h", "-n", node, "-o", "%T")
    cluster.wait_for(lambda: "down" in cluster.run(*words), 90, "loss")


def test_first_finished_attempt_wins(cluster, tmp_path, noticed):
    """The late copy does not see that it has lost its claim, as with a dead disk."""
    client = Client(cluster, tmp_path)
    with cluster.only("n2"):
        client.start("JOB=1:1", "x.JOB.log", "bash", "-c", COMMAND.format(12))
        client.waits_for("on.n2")
    (late,) = those_of(cluster, "n2", "espnet_merge.cluster.task")
    os.kill(late, signal.SIGSTOP)
    cluster.cut_off("n2")
    given_up(cluster, "n2")
    noticed(client.hears("lost its node [NODE_FAIL]"))
    client.waits_for("on.n1")
    assert cluster.processes("n2")  # two copies live
    assert client.wait() == 0
    os.kill(late, signal.SIGCONT)
    cluster.wait_for(lambda: not cluster.processes("n2"), 30, "end of the late copy")
    assert "n2 has ended\n" in client.read("q/x.JOB.log/1.1.log")
    end = json.loads(client.read("q/x.JOB.log/1.end.json"))
    assert (end["node"], end["attempt"]) == ("n1", 2)
    assert "n1 has ended\n" in client.read("x.1.log")


def test_training_behind_a_partition(cluster, trained, expected, tmp_path, noticed):
    """The late copy sees its claim lost, and ends; the results are the same.

    It is a slow one: on a micro model it would end before SLURM misses its node.
    """
    recipe = without_expert(trained.copy(tmp_path / "tree"), "full_es")
    recipe.cluster = cluster
    venv = recipe.venv.resolve()
    recipe.use(Path(sys.prefix))
    with cluster.only("n2"):
        driver = recipe.start(**FEWER, stage="7", stop_stage="7")
        training = (cluster, "n2", "espnet_merge.bin.whisper_train")
        cluster.wait_for(lambda: those_of(*training), 180, "training")
    for process in those_of(*training):
        os.kill(process, signal.SIGSTOP)
    cluster.cut_off("n2")
    launch = recipe.directory / "exp" / "full_es" / "launch.log"
    given_up(cluster, "n2")
    noticed(cluster.wait_for(lambda: "NODE_FAIL" in launch.read_text(), 30, "notice"))
    cluster.wait_for(lambda: not cluster.processes("n2"), 30, "end of the late copy")
    _, said = driver.communicate(timeout=900)
    assert driver.returncode == 0, said[-3000:]
    recipe.use(venv)
    recipe.backend = "local"  # warm commands are not seen from n2's network
    done = recipe.run(**FEWER)
    assert done.returncode == 0, done.stderr[-3000:]
    assert recipe.results() == expected

"""Where sacct answers, as on most clusters: a database tells how a job ended."""

import json
from collections.abc import Iterator

import pytest

from espnet_merge.cluster import scheduler
from tests.slurm.cluster import Cluster
from tests.slurm.conftest import Client

pytestmark = pytest.mark.xdist_group("accounts")
WORDS = ("JOB=1:2", "x.JOB.log", "echo", "on", ";", "sleep", "$[600*(JOB==2)]")


@pytest.fixture(scope="module")
def accounted(daemons: Cluster) -> Iterator[Cluster]:
    with Cluster(accounts=True) as cluster:
        yield cluster


@pytest.fixture
def client(accounted: Cluster, tmp_path) -> Client:
    return Client(accounted, tmp_path)


@pytest.fixture
def task(client) -> str:
    """A task that runs, as SLURM names it."""
    client.start(*WORDS)
    client.waits_for("x.2.log")
    record = json.loads(client.read("q/x.JOB.log/record.json"))
    return f"{record['attempts'][-1]['job']}_2"


def accounts_of(client, task: str, monkeypatch) -> scheduler.Ending:
    """Return what sacct says, where nothing else can answer."""
    monkeypatch.setenv("SLURM_CONF", client.cluster.environment["SLURM_CONF"])
    monkeypatch.setattr(scheduler, "_by_controller", lambda task_id: None)
    return scheduler.ending(task, "FAILED")


def test_cancelled_task_is_told_by_accounts(client, task, monkeypatch, noticed):
    client.cluster.run("scancel", task)
    noticed(client.hears("task 2 was cancelled by somebody [CANCELLED]"))
    assert client.wait() == 1
    told = accounts_of(client, task, monkeypatch)
    assert told.state == "CANCELLED"
    assert told.node in ("n1", "n2")


def test_time_limit_is_told_by_accounts(client, task, monkeypatch, noticed):
    client.cluster.run("scontrol", "update", f"JobId={task}", "EndTime=now+1")
    noticed(client.hears("task 2 reached its time limit", 60))  # SLURM's 30
    assert client.wait() == 1
    assert accounts_of(client, task, monkeypatch).state == "TIMEOUT"

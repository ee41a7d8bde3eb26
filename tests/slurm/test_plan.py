"""A plan of several commands on a real SLURM."""

import json
import os
import signal
import subprocess
import sys
import time

from tests.cluster.test_graph import ROOT, content, job

MERGES = 20
RUNNER = f"{ROOT}/local/slurm.py"
ONCE = "if [[ -e once ]]; then echo whole; else touch once; sleep 600; fi"


def start(client, *jobs):
    """Start a plan in place of the client of one command."""
    with client.screen.open("ab") as screen:
        client.process = subprocess.Popen(
            [sys.executable, ROOT / "local" / "run_plan.py", "--limit", "merge=1"],
            cwd=client.directory,
            env={
                **os.environ,
                **client.cluster.environment,
                "PYTHONPATH": str(ROOT),
                "PATH": ":".join(client.path),
            },
            stdin=subprocess.PIPE,
            stderr=screen,
            start_new_session=True,
        )
    client.process.stdin.write(content(*jobs))
    client.process.stdin.close()


def jobs_of(client, pattern):
    """The jobs of SLURM that all attempts of some records had."""
    files = client.directory.glob(f"exp/{pattern}/q/*/record.json")
    records = [json.loads(file.read_text()) for file in files]
    assert records
    return {attempt["job"] for record in records for attempt in record["attempts"]}


def test_merges_are_one_array_and_each_is_decoded_when_it_is_there(client, noticed):
    """The last merge ends when the first one is decoded."""
    slow = ["bash", "-c", "until [[ -e decoded ]]; do sleep 0.2; done"]
    merges, decoding = [], []
    for number in range(MERGES):
        command = slow if number == MERGES - 1 else ["true"]
        merges.append(job(f"m{number}", command, runner=RUNNER))
        needs = f"exp/m{number}/x.log"
        decoding.append(
            job(f"d{number}", ["touch", "decoded"], needs=needs, runner=RUNNER)
        )
    begun = time.monotonic()
    start(client, *merges, *decoding)
    assert client.wait(180) == 0
    noticed(time.monotonic() - begun)
    assert len(jobs_of(client, "m*")) == 1
    assert len(jobs_of(client, "d*")) < MERGES
    assert len(list(client.directory.glob("exp/*/.done"))) == 2 * MERGES


def test_task_of_a_shared_array_whose_node_loses_power(client, cluster, noticed):
    start(
        client,
        job("a", ["bash", "-c", ONCE], runner=RUNNER),
        job("b", ["echo", "fine"], runner=RUNNER),
    )
    cluster.wait_for((client.directory / "once").exists, 30, "start")
    node = client.read("exp/a/q/x.log/1.claim").split()[2]
    cluster.cut_power(node)
    cluster.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    noticed(client.hears("lost its node [NODE_FAIL]"))
    cluster.start(node)
    assert client.wait(120) == 0
    assert "whole\n" in client.read("exp/a/x.log")


def test_plan_that_is_ended_leaves_no_job(client, cluster):
    start(client, *(job(name, ["sleep", "600"], runner=RUNNER) for name in "abc"))
    client.waits_for("exp/c/x.log", 60)
    client.process.send_signal(signal.SIGTERM)
    assert client.wait(60) == 143
    cluster.wait_for(lambda: not cluster.jobs(), 30, "end of the jobs")

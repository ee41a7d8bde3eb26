"""Faults of a real SLURM, and what its client makes of them."""

import json
import shutil
import signal
import time

import pytest

from tests.slurm.conftest import Client

pytestmark = pytest.mark.xdist_group("client")
SLEEP = ("x.JOB.log", "echo", "begin", ";", "sleep", "600")


def job_of(client) -> str:
    return json.loads(client.read("q/x.JOB.log/record.json"))["attempts"][-1]["job"]


def no_job_is_left(cluster) -> None:
    cluster.wait_for(lambda: not cluster.jobs(), 15, "end of jobs")
    cluster.wait_for(lambda: not cluster.processes(), 15, "end of processes")


def test_tasks_that_succeed(client, noticed):
    assert (
        client.run("--mem", "50M", "JOB=1:3", "x.JOB.log", "echo", "I", "am", "JOB")
        == 0
    )
    noticed(time.monotonic() - client.started)
    assert [f"I am {n}\n" in client.read(f"x.{n}.log") for n in (1, 2, 3)] == [True] * 3
    assert client.said == ""


def test_task_that_exits_with_7(client, noticed):
    words = ("JOB=1:3", "x.JOB.log", "echo", "no", "room", ";", "exit", "$[7*(JOB==2)]")
    assert client.run(*words) == 1
    noticed(time.monotonic() - client.started)
    assert "error: x.2.log: task 2 exited with status 7 (job " in client.said
    assert "  | no room" in client.said
    assert "error: 1 / 3 failed: x.JOB.log" in client.said


def test_array_task_that_is_cancelled(client, cluster, noticed):
    client.start("JOB=1:2", "x.JOB.log", "echo", "on", ";", "sleep", "$[600*(JOB==2)]")
    client.waits_for("x.2.log")
    cluster.run("scancel", f"{job_of(client)}_2")
    noticed(client.hears("task 2 was cancelled by somebody [CANCELLED]"))
    assert client.wait() == 1
    assert "error: 1 / 2 failed" in client.said


def test_all_that_are_cancelled(client, cluster, noticed):
    client.start("JOB=1:3", *SLEEP)
    client.waits_for("x.3.log")
    cluster.run("scancel", job_of(client))
    noticed(client.hears("error: 3 / 3 failed"))
    assert client.wait() == 1


def test_time_limit(client, cluster, noticed):
    """One task has work that goes on, and is submitted again; another has not."""
    command = "if [[ -e half ]]; then echo whole; else touch half; sleep 600; fi"
    resumes = Client(cluster, client.directory / "resumes")
    resumes.start("--resume", "1", "JOB=1:1", "x.JOB.log", "bash", "-c", command)
    client.start("JOB=1:1", *SLEEP)
    client.waits_for("x.1.log")
    cluster.wait_for((resumes.directory / "half").exists, 20, "checkpoint")
    jobs = [job_of(client), job_of(resumes)]
    for job in jobs:
        cluster.run("scontrol", "update", f"JobId={job}", "EndTime=now+1")
    # SLURM looks at time limits every 30 s.
    cluster.wait_for(lambda: not set(running(cluster)) & set(jobs), 60, "time limit")
    noticed(client.hears("reached its time limit: give more by --time"))
    assert client.wait() == 1
    assert resumes.wait() == 0
    assert "[TIMEOUT] (job" in resumes.said
    assert "whole\n" in resumes.read("x.1.log")
    assert "whole\n" not in resumes.read("q/x.JOB.log/1.1.log")


def running(cluster) -> list[str]:
    """Return the jobs that run."""
    return [line.split("_")[0] for line in cluster.jobs() if " RUNNING " in line]


@pytest.mark.parametrize("requeue", [False, True])
def test_preemption(client, cluster, requeue):
    """By the client where conf/slurm.conf forbids SLURM to requeue; else by SLURM."""
    command = "if [[ -e once ]]; then echo whole; else touch once; sleep 600; fi"
    free = ["--sbatch", "--exclusive" + (" --requeue" if requeue else "")]
    client.start(*free, "JOB=1:1", "x.JOB.log", "bash", "-c", command)
    cluster.wait_for((client.directory / "once").exists, 20, "start")
    cluster.run(
        *("sbatch", "-p", "urgent", "--exclusive", "--nodes=2", "--output=/dev/null"),
        *("--wrap", "sleep 3"),
    )
    assert client.wait() == 0
    assert ("was preempted by another job [PREEMPTED]" in client.said) != requeue
    assert "whole\n" in client.read("x.1.log")


def test_node_without_power(client, cluster, noticed):
    command = "if [[ -e once ]]; then echo whole; else touch once; sleep 600; fi"
    client.start(
        "--sbatch", "--nodelist=n2", "JOB=1:1", "x.JOB.log", "bash", "-c", command
    )
    cluster.wait_for((client.directory / "once").exists, 20, "start")
    cluster.cut_power("n2")
    lost = cluster.wait_for(
        lambda: "down" in cluster.run("sinfo", "-h", "-n", "n2", "-o", "%T"), 90, "loss"
    )
    noticed(client.hears("lost its node [NODE_FAIL]"))  # after SLURM has
    assert lost < 90
    cluster.start("n2")
    assert client.wait() == 0
    assert "whole\n" in client.read("x.1.log")


def test_slurmd_that_is_killed_and_comes_back(client, cluster):
    """The job lives on, and so does what waits for it."""
    client.start("--sbatch", "--nodelist=n2", "JOB=1:1", "x.JOB.log", "sleep", "6")
    client.waits_for("x.1.log")
    cluster.kill("n2")
    cluster.start("n2")
    assert client.wait() == 0
    assert len(json.loads(client.read("q/x.JOB.log/record.json"))["attempts"]) == 1


def test_controller_that_is_killed_and_comes_back(client, cluster):
    client.start("--poll", "2", "JOB=1:2", "x.JOB.log", "sleep", "12")
    client.waits_for("x.2.log")
    cluster.kill("slurmctld")
    time.sleep(6)
    cluster.start("slurmctld")
    assert client.wait() == 0


def test_late_copy_that_lives_on_a_node_given_up(client, cluster):
    """SLURM gives the node up; its job lives there, and loses the right to write."""
    command = "for i in {1..600}; do echo $SLURMD_NODENAME >>out; sleep 0.5; done"
    client.start(
        "--sbatch", "--exclude=n1", "JOB=1:1", "x.JOB.log", "bash", "-c", command
    )
    client.waits_for("out")
    cluster.kill("n2")
    cluster.run("scontrol", "update", "NodeName=n2", "State=DOWN", "Reason=test")
    client.hears("lost its node")
    cluster.wait_for(lambda: not cluster.processes("n2"), 30, "end of the late copy")
    cluster.start("n2")


def test_driver_that_is_killed_and_run_again(client, cluster):
    words = (
        "JOB=1:3",
        "x.JOB.log",
        "sleep",
        "$[8*(JOB>1)]",
        ";",
        "echo",
        "$$",
        ">pid.JOB",
    )
    client.start(*words)
    client.waits_for("pid.1")
    client.waits_for("x.3.log")
    client.process.kill()
    client.process.wait()
    job = job_of(client)
    started = time.monotonic()
    assert client.run(*words) == 0
    assert f"goes on with job {job}, 2 task(s)" in client.said
    assert job_of(client) == job
    assert time.monotonic() - started < 15


def test_what_has_ended_meanwhile_is_not_run_again(client, cluster, noticed):
    words = ("JOB=1:3", "x.JOB.log", "sleep", "2", ";", "echo", "JOB", ">>out")
    client.start(*words)
    client.waits_for("x.3.log")
    client.process.kill()
    client.process.wait()
    no_job_is_left(cluster)
    assert client.run(*words) == 0
    noticed(time.monotonic() - client.started)
    assert sorted(client.read("out").split()) == ["1", "2", "3"]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_signal_to_the_driver_leaves_no_job(client, cluster, name, noticed):
    client.start("--max-jobs-run", "2", "JOB=1:4", *SLEEP)
    client.waits_for("x.2.log")
    started = time.monotonic()
    client.process.send_signal(signal.Signals[name])
    assert client.wait() == 128 + signal.Signals[name]
    no_job_is_left(cluster)
    noticed(time.monotonic() - started)
    assert "ended; cancelled " in client.said


BROKEN = """#!/bin/sh
if [ -e {directory}/broken ]; then
  echo "{command}: error: Unable to contact slurm controller" >&2
  exit 1
fi
exec {real} "$@"
"""


def fails(client, *commands: str) -> None:
    """Put commands before SLURM's that fail while a file is there."""
    place = client.directory / "bin"
    place.mkdir()
    for command in commands:
        real = shutil.which(command)
        text = BROKEN.format(directory=client.directory, command=command, real=real)
        (place / command).write_text(text)
        (place / command).chmod(0o755)
    client.path.insert(0, str(place))
    (client.directory / "broken").touch()


def test_sbatch_and_squeue_that_fail_for_a_while(client, noticed):
    fails(client, "sbatch", "squeue", "sacct", "scontrol")
    client.start("--poll", "2", "JOB=1:2", "x.JOB.log", "sleep", "8")
    noticed(client.hears("SLURM does not answer, waiting: sbatch: error: Unable"))
    time.sleep(8)
    (client.directory / "broken").unlink()
    client.waits_for("x.2.log")
    (client.directory / "broken").touch()
    assert client.wait() == 0


def test_patience_that_ends(client):
    fails(client, "sbatch")
    assert client.run("--poll", "1", "--patience", "3", "JOB=1:1", *SLEEP) == 2
    assert (
        "slurm.py: error: SLURM has not answered for 3 s: sbatch: error:" in client.said
    )


def test_partition_that_does_not_exist(client, noticed):
    assert client.run("--sbatch", "-p none", "JOB=1:1", *SLEEP) == 2
    noticed(time.monotonic() - client.started)
    assert "SLURM refuses the job: sbatch: error: " in client.said
    assert client.said.count("\n") == 1


def test_two_drivers_at_once(client, cluster):
    words = ("JOB=1:2", "x.JOB.log", "echo", "JOB", ">>out", ";", "sleep", "4")
    first = client.start(*words).process
    client.waits_for("out")
    assert client.run(*words) == 0
    assert first.wait() == 0
    assert "another client is at work on it, waiting" in client.said
    assert sorted(client.read("out").split()) == ["1", "1", "2", "2"]


def test_memory_that_was_too_little(client, noticed):
    memory = "x = bytearray(200 << 20); import time; time.sleep(60)"
    client.start("--mem", "60M", "JOB=1:1", "x.JOB.log", "python3", "-c", memory)
    noticed(client.hears("used more memory than it asked for: give more by --mem"))
    assert client.wait() == 1


def test_many_tasks_two_at_a_time(client, cluster, noticed):
    """What a task takes longer than one of SLURM's own, in which nothing happens."""
    tasks = 40
    started = time.monotonic()
    own = f"--array=1-{tasks}%2", "--output=/dev/null", "--wrap", "true"
    cluster.run("sbatch", "--parsable", *own)
    cluster.wait_for(lambda: not cluster.jobs(), 240, "end of SLURM's own")
    plain = time.monotonic() - started
    (client.directory / "at").mkdir()
    command = "touch at/JOB; ls at | wc -l >>seen; rm at/JOB"
    words = (f"JOB=1:{tasks}", "log/x.JOB.log", "bash", "-c", command)
    client.start("--max-jobs-run", "2", *words)
    noticed(cluster.wait_for(cluster.jobs, 30, "jobs"))
    assert client.wait(240) == 0
    seen = client.read("seen").split()
    assert len(seen) == tasks
    assert max(map(int, seen)) <= 2
    took = time.monotonic() - client.started
    noticed((took - plain) / tasks * 2)


def test_two_hundred_tasks(client, cluster, noticed):
    """They are submitted at once, two run at a time, and all can be taken back."""
    client.start("--max-jobs-run", "2", "JOB=1:200", "log/x.JOB.log", "sleep", "600")
    noticed(cluster.wait_for(lambda: len(cluster.jobs()) == 200, 30, "200 tasks"))
    cluster.wait_for(lambda: len(running(cluster)) == 2, 30, "two that run")
    client.process.send_signal(signal.SIGTERM)
    assert client.wait() == 128 + signal.SIGTERM
    no_job_is_left(cluster)


def test_command_that_changed_meanwhile(client, cluster):
    """The old job is cancelled, and writes nothing more."""
    old = "for i in {1..600}; do echo old >>out; sleep 0.2; done"
    client.start("JOB=1:1", "x.JOB.log", "bash", "-c", old)
    client.waits_for("out")
    client.process.kill()
    client.process.wait()
    assert (
        client.run("JOB=1:1", "x.JOB.log", "sleep", "3", ";", "echo", "new", ">>out")
        == 0
    )
    assert "other command or inputs: job" in client.said
    no_job_is_left(cluster)
    assert client.read("out").split()[-1] == "new"


def test_inputs_that_changed_meanwhile(client, cluster):
    client.start("JOB=1:1", *SLEEP, JOB_INPUTS="a")
    client.waits_for("x.1.log")
    client.process.kill()
    client.process.wait()
    client.start("JOB=1:1", *SLEEP, JOB_INPUTS="b")
    client.hears("other command or inputs: job")


def test_dependency_that_cannot_be(client, cluster, noticed):
    job = cluster.run(
        "sbatch", "--parsable", "--output=/dev/null", "--wrap", "exit 1"
    ).strip()
    free = f"--dependency=afterok:{job}"
    client.start("--sbatch", free, "JOB=1:1", *SLEEP)
    noticed(client.hears("depends on a job that has failed [DependencyNeverSatisfied]"))
    assert client.wait() == 1
    no_job_is_left(cluster)


def test_gpu_of_a_task(client):
    assert (
        client.run("--gpu", "1", "x.log", "echo", "gpu", "$CUDA_VISIBLE_DEVICES") == 0
    )
    assert "gpu 0\n" in client.read("x.log")

"""The client against stand-ins for SLURM; tests/slurm has a real one."""

import json
import signal
import subprocess
import sys

import pytest

from tests.cluster.conftest import ROOT

SLEEP = ("x.JOB.log", "echo", "on", ";", "sleep", "60")
ONCE = "if [[ -e once.JOB ]]; then echo whole; else touch once.JOB; sleep 60; fi"
WHOLE = "\nwhole\n"


def test_tasks_succeed_in_silence(desk):
    assert desk.run("JOB=1:3", "log/x.JOB.log", "echo", "I", "am", "JOB") == 0
    assert "I am 2\n" in desk.read("log/x.2.log")
    assert desk.said == ""
    end = json.loads(desk.read("log/q/x.JOB.log/2.end.json"))
    assert (end["status"], end["job"], end["node"], end["attempt"]) == (
        0,
        "1_2",
        "n1",
        1,
    )


def test_command_without_an_array(desk):
    assert desk.run("x.log", "echo", "a", "\\|", "tr", "a", "b") == 0
    assert "a | tr a b\n" in desk.read("x.log")
    assert desk.run("x.log", "echo", "a", "|", "tr", "a", "b") == 0
    assert "\nb\n" in desk.read("x.log")


def test_failure_is_shown_with_its_last_lines(desk):
    assert (
        desk.run(
            "JOB=1:2", "x.JOB.log", "echo", "no", "room", ";", "exit", "$[JOB*7-7]"
        )
        == 1
    )
    first, line, last = desk.said.splitlines()
    assert first == (
        "slurm.py: error: x.2.log: task 2 exited with status 7"
        " (job 1_2, attempt 1, node n1)"
    )
    assert line == "slurm.py:   | no room"
    assert last == "slurm.py: error: 1 / 2 failed: x.JOB.log"


def test_only_what_failed_runs_when_it_is_asked_for_again(desk):
    words = (
        "JOB=1:3",
        "x.JOB.log",
        "echo",
        "JOB",
        ">>out",
        ";",
        "test",
        "JOB",
        "!=",
        "2",
        "-o",
        "-e",
        "ok",
    )
    assert desk.run(*words) == 1
    (desk.directory / "ok").touch()
    assert desk.run(*words) == 0
    assert sorted(desk.read("out").split()) == ["1", "2", "2", "3"]
    assert desk.run(*words) == 0  # all have been told: it is another run
    assert len(desk.read("out").split()) == 7


@pytest.mark.parametrize("state", ["NODE_FAIL", "PREEMPTED"])
def test_what_the_cluster_broke_is_submitted_again(desk, state):
    client = desk.start("JOB=1:2", "x.JOB.log", "bash", "-c", ONCE)
    desk.waits(lambda: (desk.directory / "once.2").exists())
    desk.slurm.end("1_2", state)
    desk.waits(lambda: "submitted again" in desk.said)
    desk.slurm.end("1_1", state)
    assert client.wait(30) == 0
    assert f"[{state}] (job 1_2); it is submitted again" in desk.said
    assert WHOLE in desk.read("x.2.log")
    words = json.loads(desk.read("fake/submitted.2"))
    assert "--array=2" in words
    # The log of the first attempt is kept.
    assert WHOLE not in desk.read("q/x.JOB.log/2.1.log")


def test_retries_end(desk):
    client = desk.start("--retries", "1", "JOB=1:1", *SLEEP)
    for job in (1, 2):
        desk.waits(lambda job=job: desk.slurm.is_(f"{job}_1", "RUNNING"))
        desk.slurm.end(f"{job}_1", "NODE_FAIL")
    assert client.wait(30) == 1
    assert "task 1 lost its node [NODE_FAIL] (job 2_1, attempt 2, node n1)" in desk.said


def test_time_limit_is_resumed_where_that_is_asked_for(desk):
    client = desk.start("--resume", "1", "JOB=1:1", "x.JOB.log", "bash", "-c", ONCE)
    desk.waits(lambda: (desk.directory / "once.1").exists())
    desk.slurm.end("1_1", "TIMEOUT")
    assert client.wait(30) == 0
    assert "reached its time limit" in desk.said


UNFINISHED = "if [[ -e half ]]; then echo whole; else touch half; exit 75; fi"


def test_what_stops_before_its_time_limit_is_resumed_too(desk):
    words = ("JOB=1:1", "x.JOB.log", "bash", "-c", UNFINISHED)
    assert desk.run("--resume", "1", *words) == 0
    assert "x.1.log: has saved what it did" in desk.said
    assert WHOLE in desk.read("x.1.log")


def test_what_stops_before_its_time_limit_says_so_where_nothing_is_resumed(desk):
    assert desk.run("JOB=1:1", "x.JOB.log", "bash", "-c", UNFINISHED) == 1
    assert "more to do: give --resume [UNFINISHED] (job 1_1, attempt 1" in desk.said


def test_term_leaves_a_command_time_to_save(desk):
    save = "trap 'sleep 2; echo saved >saved; exit 75' TERM; echo on; sleep 30 & wait"
    (desk.directory / "save.sh").write_text(save)
    desk.start("--resume", "1", "JOB=1:1", "x.JOB.log", "bash", "save.sh")
    desk.waits_for("x.1.log")
    desk.slurm.end("1_1", "TIMEOUT")
    desk.waits_for("saved")
    desk.waits(lambda: "2_1" in desk.slurm.all())


def test_what_slurm_ends_is_not_done_whatever_its_status(desk):
    """As srun, which ends with 0 when its job is requeued."""
    script = "trap 'exit 0' TERM; [[ -e half ]] && exit; touch half; sleep 30 & wait"
    (desk.directory / "srun.sh").write_text(script)
    client = desk.start("JOB=1:1", "x.JOB.log", "bash", "srun.sh")
    desk.waits(lambda: (desk.directory / "half").exists())
    desk.slurm.end("1_1", "PREEMPTED")
    assert client.wait(30) == 0
    assert desk.slurm.is_("2_1", "COMPLETED")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("TIMEOUT", "reached its time limit: give more by --time"),
        ("CANCELLED", "was cancelled by somebody"),
        ("OUT_OF_MEMORY", "used more memory than it asked for: give more by --mem"),
    ],
)
@pytest.mark.parametrize("accounts", [False, True])
def test_reasons_are_told_apart(desk, state, words, accounts):
    if accounts:
        desk.slurm.switch("accounts", on=True)
    client = desk.start("JOB=1:1", *SLEEP)
    desk.waits_for("x.1.log")
    desk.waits(lambda: "\non\n" in desk.read("x.1.log"))
    desk.slurm.end("1_1", state)
    assert client.wait(30) == 1
    assert f"task 1 {words}" in desk.said
    assert "  | on\n" in desk.said


def test_accounts_know_what_squeue_calls_a_failure(desk):
    desk.slurm.switch("accounts", on=True)
    client = desk.start("JOB=1:1", *SLEEP)
    desk.waits_for("x.1.log")
    desk.slurm.set("1_1", accounts="OUT_OF_MEMORY")
    desk.slurm.end("1_1", "FAILED")
    assert client.wait(30) == 1
    assert "give more by --mem" in desk.said


def test_memory_is_named_where_only_the_output_of_the_job_tells(desk):
    client = desk.start("JOB=1:1", *SLEEP)
    desk.waits_for("x.1.log")
    with (desk.directory / "q" / "x.JOB.log" / "1_1.out").open("a") as out:
        out.write("slurmstepd: error: Detected 1 oom_kill event in StepId=1.batch.\n")
    desk.slurm.end("1_1", "FAILED")
    assert client.wait(30) == 1
    assert "give more by --mem" in desk.said


def test_command_that_a_signal_has_ended(desk):
    assert desk.run("JOB=1:1", "x.JOB.log", "kill", "-9", "$$") == 1
    assert "task 1 ended [FAILED] with status 137" in desk.said


def test_silent_controller_is_waited_for(desk):
    desk.slurm.switch("silent", on=True)
    client = desk.start("JOB=1:1", "x.JOB.log", "sleep", "3")
    desk.waits(lambda: "SLURM does not answer, waiting: sbatch: error: Un" in desk.said)
    desk.slurm.switch("silent", on=False)
    desk.waits_for("x.1.log")
    desk.slurm.switch("silent", on=True)
    assert client.wait(30) == 0


def test_patience_ends(desk):
    desk.slurm.switch("silent", on=True)
    assert desk.run("--patience", "1", "JOB=1:1", *SLEEP) == 2
    assert "slurm.py: error: SLURM has not answered for 1 s: sbatch: error" in desk.said


def test_refusal_ends_at_once(desk):
    assert desk.run("--sbatch", "-p none", "JOB=1:1", *SLEEP) == 2
    assert "error: SLURM refuses the job: sbatch: error: invalid partition" in desk.said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_cancels_all(desk, number):
    client = desk.start("JOB=1:2", *SLEEP)
    desk.waits_for("x.2.log")
    client.send_signal(number)
    assert client.wait(30) == 128 + number
    for name in ("1_1", "1_2"):
        desk.waits(lambda name=name: not desk.slurm.is_(name, "RUNNING"))


def test_client_that_was_killed_is_followed_by_one_that_goes_on(desk):
    words = ("JOB=1:2", "x.JOB.log", "echo", "JOB", ">>out", ";", "sleep", "$[JOB*2]")
    desk.start(*words).kill()
    first = desk.start(*words)
    desk.waits(lambda: len(desk.slurm.all()) == 2 and (desk.directory / "out").exists())
    desk.waits_for("x.2.log")
    first.kill()
    first.wait()
    (desk.directory / "x.2.log").rename(desk.directory / "x.2.1.log")  # as launch does
    assert desk.run(*words) == 0
    assert "goes on with job 1" in desk.said
    assert "# Finished" in desk.read("x.2.log")
    assert sorted(desk.read("out").split()) == ["1", "2"]


@pytest.mark.parametrize(
    ("words", "inputs"), [(("sleep", "1"), "a"), (("sleep", "60"), "b")]
)
def test_other_work_cancels_what_runs(desk, words, inputs):
    first = desk.start("JOB=1:1", "x.JOB.log", "sleep", "60", JOB_INPUTS="a")
    desk.waits_for("x.1.log")
    first.kill()
    first.wait()
    desk.start("JOB=1:1", "x.JOB.log", *words, JOB_INPUTS=inputs)
    desk.waits(lambda: "other command or inputs: job 1 is cancelled" in desk.said)
    desk.waits(lambda: desk.slurm.read("1_1")["state"] == "CANCELLED")


def test_other_options_of_sbatch_keep_what_is_done(desk):
    words = ("JOB=1:2", "x.JOB.log", "echo", "JOB", ">>out", ";", "sleep", "$[JOB*2-2]")
    first = desk.start("--mem", "1G", *words)
    desk.waits_for("q/x.JOB.log/1.end.json")
    desk.waits(lambda: "2" in desk.read("out"))
    first.kill()
    first.wait()
    assert desk.run("--mem", "2G", *words) == 0
    assert "other options of sbatch: job 1 is cancelled" in desk.said
    assert sorted(desk.read("out").split()) == ["1", "2", "2"]


def test_attempt_that_lost_its_claim_ends_though_nobody_cancels_it(desk):
    """As behind a network partition: SLURM has given the node up, the job lives."""
    client = desk.start("JOB=1:1", "x.JOB.log", "bash", "-c", ONCE)
    desk.waits(lambda: (desk.directory / "once.1").exists())
    desk.slurm.set("1_1", state="NODE_FAIL")
    assert client.wait(60) == 0
    desk.waits(lambda: "with status 75" in desk.read("q/x.JOB.log/1.1.log"))
    assert WHOLE in desk.read("x.1.log")
    # The second has waited for the end of the first.
    ended = (desk.directory / "q/x.JOB.log/1.1.log").stat().st_mtime
    assert json.loads(desk.read("q/x.JOB.log/1.end.json"))["started"] >= ended


def test_job_that_starts_after_its_client_was_ended_does_nothing(desk):
    desk.slurm.switch("hold", on=True)
    client = desk.start("JOB=1:1", "x.JOB.log", "touch", "ran")
    desk.waits(lambda: "1_1" in desk.slurm.all())
    (desk.binaries / "scancel").write_text("#!/bin/sh\n")  # it is not heard
    client.terminate()
    assert client.wait(30) == 143
    desk.slurm.switch("hold", on=False)
    desk.waits(lambda: desk.slurm.read("1_1")["state"] == "FAILED")
    assert not (desk.directory / "ran").exists()
    assert "task 1 is another attempt's" in desk.read("q/x.JOB.log/1_1.out")


def test_job_held_after_a_bad_launch_is_submitted_again(desk):
    desk.slurm.switch("hold", on=True)
    client = desk.start("JOB=1:1", "x.JOB.log", "true")
    desk.waits(lambda: "1_1" in desk.slurm.all())
    desk.slurm.set("1_1", reason="launch failed requeued held")
    desk.waits(lambda: "was held by SLURM" in desk.said)
    desk.waits(lambda: desk.slurm.read("1_1")["state"] == "CANCELLED")
    desk.slurm.switch("hold", on=False)
    assert client.wait(30) == 0


def test_job_that_waits_for_its_user_is_told_once(desk):
    desk.slurm.switch("hold", on=True)
    desk.start("JOB=1:1", "x.JOB.log", "true")
    desk.waits(lambda: "1_1" in desk.slurm.all())
    desk.slurm.set("1_1", reason="JobHeldUser")
    desk.waits(lambda: "x.JOB.log: job 1 waits: JobHeldUser" in desk.said)


def test_status_is_told_from_what_lies_on_disk(desk):
    words = (
        "JOB=1:3",
        "exp/a/x.JOB.log",
        "sleep",
        "$[JOB==3?60:0]",
        ";",
        "exit",
        "$[JOB-1]",
    )
    desk.start(*words)
    desk.waits_for("exp/a/q/x.JOB.log/1.end.json")
    desk.waits_for("exp/a/q/x.JOB.log/2.end.json")
    desk.waits_for("exp/a/x.3.log")
    told = subprocess.run(
        [sys.executable, ROOT / "local" / "slurm.py", "--status", "exp"],
        cwd=desk.directory,
        capture_output=True,
        text=True,
    )
    line = "exp/a/x.JOB.log: 1 done, 1 failed, 1 running in job 1\n"
    assert (told.returncode, told.stdout) == (0, line)


def test_second_client_waits_for_the_first(desk):
    words = ("JOB=1:1", "x.JOB.log", "echo", "JOB", ">>out", ";", "sleep", "1")
    first = desk.start(*words)
    desk.waits_for("out")
    assert desk.run(*words) == 0
    assert first.wait(30) == 0
    assert "another client is at work on it, waiting" in desk.said
    assert desk.read("out").split() == ["1", "1"]

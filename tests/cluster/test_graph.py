"""Plans, with the stand-ins for SLURM, and with processes of this machine."""

import json
import os
import subprocess
import sys

import pytest

from espnet_merge.cluster.plan import Job, read_plan, waves
from tests.cluster.conftest import ROOT

SLURM = f"{ROOT}/local/slurm.py --poll 1"


def job(name, command, *, needs="", array="", runner=SLURM, kind="merge", mark=True):
    log = f"exp/{name}/x{'.JOB' if array else ''}.log"
    mark = f"exp/{name}/.done" if mark else ""
    words = (kind, f"making {name}", "new", mark, f"of {name}\nmore", needs)
    return (*words, runner, array, log, *command)


def content(*jobs):
    return b"".join("\0".join([str(len(words)), *words, ""]).encode() for words in jobs)


@pytest.fixture
def plans(desk):
    """The desk, where plans are started instead of commands."""

    def start(*jobs, limits=("merge=2", "decode=2"), words=()):
        with desk.screen.open("ab") as screen:
            process = subprocess.Popen(
                [sys.executable, ROOT / "local" / "run_plan.py", *words]
                + (["--limit", *limits] if limits else []),
                cwd=desk.directory,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "PATH": f"{desk.binaries}:{os.environ['PATH']}",
                    "FAKE_SLURM": str(desk.slurm.place),
                    "PLAN_OF": "run.sh",
                },
                stdin=subprocess.PIPE,
                stdout=screen,
                stderr=screen,
                start_new_session=True,
            )
        process.stdin.write(content(*jobs))
        process.stdin.close()
        desk.clients.append(process)
        return process

    desk.plan = start
    return desk


def submitted(desk):
    files = sorted(desk.slurm.place.glob("submitted.*"))
    return [json.loads(file.read_text()) for file in files]


def arrays(desk):
    return [w for words in submitted(desk) for w in words if w.startswith("--array")]


def test_plan_is_read_as_it_was_written():
    words = job("soup", ["merge", "a b", ""], needs="one.log two.log", array="JOB=1:2")
    (found,) = read_plan(content(words))
    assert found.needs == ("one.log", "two.log")
    assert found.command == ("merge", "a b", "")
    assert [str(log) for log in found.logs] == ["exp/soup/x.1.log", "exp/soup/x.2.log"]
    assert found.on_slurm


def test_waves_follow_what_is_needed():
    jobs = read_plan(
        content(
            job("a", ["x"]),
            job("b", ["x"], needs="exp/a/x.log"),
            job("c", ["x"], needs="exp/b/x.log exp/none/x.log"),
            job("d", ["x"], needs="exp/none/x.log"),
        )
    )
    assert [[one.what[-1] for one in wave] for wave in waves(jobs)] == [
        ["a", "d"],
        ["b"],
        ["c"],
    ]
    assert isinstance(jobs[0], Job)


def test_alike_jobs_are_one_array_and_keep_their_own_records(plans):
    run = plans.plan(
        job("soup", ["echo", "soup"]),
        job("ties", ["echo", "ties", "JOB"], array="JOB=1:2"),
        job("big", ["echo", "big"], runner=f"{SLURM} --mem 9G"),
    )
    assert run.wait(30) == 0
    assert sorted(arrays(plans)) == ["--array=1-3"]
    assert len(submitted(plans)) == 2
    assert "ties 2\n" in plans.read("exp/ties/x.2.log")
    assert plans.read("exp/soup/.done") == "of soup\nmore\n"
    end = json.loads(plans.read("exp/ties/q/x.JOB.log/2.end.json"))
    assert end["status"] == 0
    assert plans.said.count("run.sh: making soup: submitted to SLURM (new)\n") == 1
    assert plans.said.count("run.sh: making ties: done\n") == 1


def test_job_begins_when_what_it_needs_is_done_whatever_else_runs(plans):
    run = plans.plan(
        job("fast", ["true"]),
        job("slow", ["bash", "-c", "until [[ -e decoded ]]; do sleep 0.1; done"]),
        job("decode_fast", ["touch", "decoded"], needs="exp/fast/x.log"),
        job("decode_slow", ["echo", "last"], needs="exp/slow/x.log"),
    )
    assert run.wait(40) == 0
    assert "last\n" in plans.read("exp/decode_slow/x.log")


def test_what_does_not_depend_on_a_failure_goes_on(plans):
    run = plans.plan(
        job("bad", ["echo", "error:", "no", "room", ";", "exit", "3"]),
        job("good", ["true"]),
        job("after_bad", ["true"], needs="exp/bad/x.log"),
        job("after_good", ["true"], needs="exp/good/x.log"),
    )
    assert run.wait(30) == 2
    assert (plans.directory / "exp/after_good/.done").exists()
    assert not (plans.directory / "exp/bad/.done").exists()
    assert not (plans.directory / "exp/after_bad").exists()
    assert "exited with status 3 (job 1_1, attempt 1, node n1)" in plans.said
    assert "run.sh: error: making bad: error: no room\n" in plans.said
    assert "1 job(s) wait for what has failed" in plans.said


def test_task_that_the_cluster_broke_is_submitted_again_alone(plans):
    script = "if [[ -e once ]]; then echo whole; else touch once; sleep 60; fi"
    run = plans.plan(job("a", ["sleep", "2"]), job("b", ["bash", "-c", script]))
    plans.waits(lambda: (plans.directory / "once").exists())
    plans.slurm.end("1_2", "NODE_FAIL")
    assert run.wait(40) == 0
    assert "(job 1_2); it is submitted again" in plans.said
    assert arrays(plans) == ["--array=1-2"]  # the second is no array
    assert "\nwhole\n" in plans.read("exp/b/x.log")


def test_task_that_somebody_cancels_fails_alone_and_says_so(plans):
    run = plans.plan(job("a", ["sleep", "60"]), job("b", ["sleep", "2"]))
    plans.waits_for("exp/a/x.log")
    plans.slurm.end("1_1", "CANCELLED")
    assert run.wait(40) == 2
    said = "run.sh: error: making a: was cancelled by somebody [CANCELLED]\n"
    assert said in plans.said
    assert (plans.directory / "exp/b/.done").exists()


def test_signal_cancels_all(plans):
    run = plans.plan(job("a", ["sleep", "60"]), job("b", ["sleep", "60"]))
    plans.waits_for("exp/b/x.log")
    run.terminate()
    assert run.wait(30) == 143
    for name in ("1_1", "1_2"):
        plans.waits(lambda name=name: not plans.slurm.is_(name, "RUNNING"))


def test_plan_that_was_killed_is_followed_by_one_that_goes_on(plans):
    jobs = [
        job(name, ["echo", name, ">>out", ";", "sleep", "2"]) for name in ("a", "b")
    ]
    first = plans.plan(*jobs)
    plans.waits(lambda: (plans.directory / "out").exists())
    plans.waits(lambda: len(plans.read("out").split()) == 2)
    first.kill()
    first.wait()
    assert plans.plan(*jobs).wait(30) == 0
    assert "exp/a/x.log: goes on with job 1, 1 task(s)" in plans.said
    assert sorted(plans.read("out").split()) == ["a", "b"]
    assert (plans.directory / "exp/b/.done").exists()


def test_refusal_of_one_leaves_no_other_job(plans):
    run = plans.plan(
        job("a", ["sleep", "60"]),
        job("b", ["sleep", "1"]),
        job("c", ["true"], needs="exp/b/x.log", runner=f"{SLURM} --sbatch '-p none'"),
    )
    assert run.wait(40) == 2
    assert (
        "error: SLURM refuses the job: sbatch: error: invalid partition" in plans.said
    )
    plans.waits(lambda: not plans.slurm.is_("1_1", "RUNNING"))


def test_processes_of_this_machine_are_limited_by_kind_and_together(plans):
    runner = str(ROOT / "tools/espnet/egs2/TEMPLATE/asr1/utils/run.pl")
    count = "mkdir on.$$; ls -d on.* | wc -l >>seen; sleep 0.5; rmdir on.$$"
    jobs = [
        job(f"{kind}{n}", ["bash", "-c", count], runner=runner, kind=kind)
        for kind in ("merge", "decode")
        for n in range(3)
    ]
    assert plans.plan(*jobs, limits=("merge=1", "decode=2")).wait(30) == 0
    seen = [int(line) for line in plans.read("seen").split()]
    assert len(seen) == 6
    assert max(seen) == 2


def test_dry_run_names_what_would_be_submitted(plans):
    jobs = [
        job("a", ["x"], runner=f"{SLURM} --mem 1G"),
        job("b", ["x"], runner=f"{SLURM} --mem 1G"),
        job("c", ["x"], needs="exp/b/x.log", runner=f"{SLURM} --mem 1G"),
    ]
    assert plans.plan(*jobs, limits=(), words=["--dry-run"]).wait(30) == 0
    form = "sbatch --export=ALL --no-requeue --mem-per-cpu 1G -p cpu --job-name x"
    assert plans.said.splitlines() == [
        f"{form} --array=1-2  # making a, making b",
        f"{form}  # making c",
    ]
    assert not (plans.directory / "exp").exists()

"""How far a run is, by what lies on disk."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from espnet_merge.cluster.progress import Result, progress_of, remaining
from espnet_merge.errors import InputError
from tests.cluster.conftest import ROOT
from tests.cluster.test_graph import job, plans  # noqa: F401

PLAN = 1000  # seconds since 1970: when the run began


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Note results of a run: stage, what, and how its log ends, if it is done."""
    monkeypatch.chdir(tmp_path)
    lines = []

    def note(stage, what, log=None, *, done=False, age=1):
        name = what.replace(" ", "_")
        path = Path("exp") / name
        path.mkdir(parents=True, exist_ok=True)
        if done:
            (path / ".done").write_text("w 1\ndetails\n")
        if log is not None:
            (path / "x.log").write_text(log)
            os.utime(path / "x.log", (PLAN + age, PLAN + age))
        fields = (stage, "to do", "new", path / ".done", path / "x.log", what)
        lines.append("\t".join([*map(str, fields), "w 1"]) + "\n")
        plan = Path("exp/.plan.tsv")
        plan.write_text("".join(lines))
        os.utime(plan, (PLAN, PLAN))

    return note


def told(status, seconds=0):
    return f"working\n# Accounting: time={seconds} threads=1\n# Ended (code {status})\n"


def test_states_are_told_by_marks_and_logs(run):
    run(7, "training a", told(0, 60), done=True, age=-500)
    run(7, "training b", "epoch 3\n")
    run(7, "training c", told(1))
    run(8, "merging by d", told(1), age=-5)  # of a run before
    run(8, "merging by e")
    (found,) = progress_of(Path("exp"))
    states = {result.what[-1]: result.state for result in found.results}
    assert states == {
        "a": "done",
        "b": "running",
        "c": "failed",
        "d": "waiting",
        "e": "waiting",
    }
    lines = str(found).splitlines()
    assert lines[0] == (
        "exp: 1 done, 1 running, 1 failed, 2 waiting; about a minute left,"
        " without 2 of kinds not seen yet"
    )
    assert lines[1:3] == [
        "  stage 7: 1 done, 1 running, 1 failed",
        "  stage 8: 2 waiting",
    ]
    assert lines[3].startswith(
        "running: training b: exp/training_b/x.log, last written"
    )
    assert lines[4] == "  | epoch 3"
    assert lines[5].startswith("failed: training c: exp/training_c/x.log, last written")
    assert lines[6] == "  | working"


def test_client_of_slurm_ends_a_log_in_its_own_words(run):
    run(8, "merging by a", "# Finished at 2026-01-01T00:00:00 with status 3\n")
    (found,) = progress_of(Path("exp"))
    assert [result.state for result in found.results] == ["failed"]


def test_a_mark_of_other_words_is_not_done(run):
    run(8, "merging by a", done=True)
    Path("exp/merging_by_a/.done").write_text("w 2\n")
    (found,) = progress_of(Path("exp"))
    assert [result.state for result in found.results] == ["waiting"]


@pytest.mark.parametrize(
    ("running", "said"), [(1, "about 6 min left"), (2, "about 3 min left")]
)
def test_the_rest_is_told_by_the_rate_of_the_same_kind(running, said):
    def result(state, seconds=0):
        return Result(9, "decoding by x", "", state, None, seconds)

    states = ["running"] * running + ["waiting"] * (3 - running)
    results = [result("done", 100), result("done", 140), *map(result, states)]
    assert remaining(results) == said  # three of 120 s each
    assert remaining([result("waiting")]) == ""


def test_seeds_have_a_screen_each_and_no_run_is_an_error(run):
    run(8, "merging by a", done=True)
    Path("exp/seed_1").mkdir()
    Path("exp/.plan.tsv").rename("exp/seed_1/.plan.tsv")
    assert [str(one.directory) for one in progress_of(Path("exp"))] == ["exp/seed_1"]
    with pytest.raises(InputError, match=r"none: must hold \.plan\.tsv"):
        progress_of(Path("none"))


def test_squeue_adds_what_waits_and_why(plans):  # noqa: F811
    plans.slurm.switch("hold", on=True)
    plans.plan(job("a", ["sleep", "60"]), job("b", ["sleep", "60"]))
    plans.waits(lambda: len(plans.slurm.all()) == 2)
    plans.slurm.set("1_2", reason="Resources")
    (plans.directory / "exp/.plan.tsv").write_text(
        "8\tto do\tnew\texp/a/.done\texp/a/x.log\tmaking a\tof a\n"
    )
    done = subprocess.run(
        [sys.executable, ROOT / "local" / "status.py", "exp"],
        cwd=plans.directory,
        env={
            **os.environ,
            "PATH": f"{plans.binaries}:{os.environ['PATH']}",
            "FAKE_SLURM": str(plans.slurm.place),
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [
        "exp: 1 waiting",
        "  stage 8: 1 waiting",
        "job 1: 1 PENDING (None), 1 PENDING (Resources)",
    ]

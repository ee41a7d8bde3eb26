"""Trials of scores that are known, without a model."""

import math
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from espnet_merge.errors import InputError
from espnet_merge.search.goals import Goal
from espnet_merge.search.space import Choices, Range, Space
from espnet_merge.search.study import JOURNAL, Study

BOWL = Space(
    "tsv_m",
    {"scale": Range(low=0, high=3, first=1), "rank_fraction": Range(low=0.1, high=1)},
)
RAMP = Space("ties", {"density": Range(low=0.1, high=1, first=0.2)})


def bowl(name, params):
    """Least, 0, at scale 1.7 and rank_fraction 0.4; a ramp is worse everywhere."""
    if name == "ramp":
        return [9 + params["density"]]
    return [(params["scale"] - 1.7) ** 2 + 4 * (params["rank_fraction"] - 0.4) ** 2]


def study(directory, spaces=None, **others):
    others = {"goals": [Goal("error")], "record": {"data": "x"}, **others}
    return Study(directory=directory, spaces=spaces or {"bowl": BOWL}, **others)


def values(found):
    return [(trial.space, trial.values, trial.scores) for trial in found.finished]


def test_the_optimum_is_found(tmp_path):
    found = study(tmp_path)
    found.run(bowl, 40)
    best = min(found.finished, key=lambda trial: trial.scores[0])
    assert best.params["scale"] == pytest.approx(1.7, abs=0.15)
    assert best.params["rank_fraction"] == pytest.approx(0.4, abs=0.1)
    first = found.finished[0].params
    assert first["scale"] == 1
    shares = found.importances(0)
    assert shares["scale"] > shares["rank_fraction"]
    assert sum(shares.values()) == pytest.approx(1)


def test_a_grid_of_as_many_trials_is_no_better(tmp_path):
    found = study(tmp_path)
    found.run(bowl, 36)
    grid = [
        bowl("bowl", {"scale": 0.6 * i, "rank_fraction": 0.1 + 0.18 * j})
        for i in range(6)
        for j in range(6)
    ]
    assert min(trial.scores for trial in found.finished) <= min(grid)


def test_the_method_is_searched_too(tmp_path):
    found = study(tmp_path, {"ramp": RAMP, "bowl": BOWL})
    found.run(bowl, 20)
    spaces = [trial.space for trial in found.finished]
    assert spaces[:2] == ["ramp", "bowl"], "each space is tried first"
    assert spaces.count("bowl") > spaces.count("ramp")
    for trial in found.finished:
        assert trial.values.keys() == trial.params.keys()
        assert trial.scores == bowl(trial.space, trial.params)
    names = {"space", "bowl.scale", "bowl.rank_fraction", "ramp.density"}
    assert found.importances(0).keys() == names


def test_same_seed_same_trials(tmp_path):
    runs = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        one = study(tmp_path / name, seed=seed)
        one.run(bowl, 15)
        runs[name] = values(one)
    assert runs["a"] == runs["b"]
    assert runs["a"][1:] != runs["c"][1:]


def test_more_trials_go_on_where_it_ended(tmp_path):
    whole, parts = study(tmp_path / "whole"), tmp_path / "parts"
    whole.run(bowl, 14)
    for trials in (0, 1, 12, 14, 14):
        study(parts).run(bowl, trials)
    assert values(study(parts)) == values(whole)


def test_several_goals(tmp_path):
    goals = [Goal("error"), Goal("BLEU", maximise=True)]
    for sampler in ("tpe", "nsga2"):
        found = study(tmp_path / sampler, goals=goals, sampler=sampler)
        found.run(lambda _, p: [p["scale"], p["scale"] + p["rank_fraction"]], 24)
        assert len(found.finished) == 24
        assert found.importances(0)["scale"] > 0.5


def test_choices_and_steps_are_kept_to(tmp_path):
    space = Space(
        "ties",
        {
            "consensus": Choices(choices=["mean", "sum"], first="sum"),
            "density": Range(low=0.2, high=1, step=0.4),
        },
    )
    found = study(tmp_path, {"ties": space})
    found.run(lambda _, p: [p["density"] + len(p["consensus"])], 12)
    assert found.finished[0].params["consensus"] == "sum"
    densities = {round(trial.params["density"], 6) for trial in found.finished}
    assert densities == {0.2, 0.6, 1.0}


def test_no_trial_begins_after_the_time(tmp_path):
    found = study(tmp_path)
    found.run(bowl, 50, minutes=0)
    assert found.finished == []
    found.run(lambda *given: time.sleep(0.3) or bowl(*given), 50, minutes=0.5 / 60)
    assert 1 <= len(found.finished) <= 2


def test_a_score_that_is_no_number_is_the_worst_and_not_tried_again(tmp_path):
    def overflows(name, params):
        scale = params["scale"]
        return [math.nan if scale == 1 else scale, math.nan if scale == 1 else -scale]

    goals = [Goal("loss"), Goal("accuracy", maximise=True)]
    found = study(tmp_path, goals=goals, sampler="nsga2")
    found.run(overflows, 5)
    assert len(found.finished) == 5
    assert found.finished[0].scores == [math.inf, -math.inf]


def test_another_search_is_refused(tmp_path):
    study(tmp_path).run(bowl, 1)
    with pytest.raises(InputError, match="differs in data; give another --output"):
        study(tmp_path, record={"data": "y"}).run(bowl, 1)


def test_scores_that_were_checked_are_kept(tmp_path):
    one = study(tmp_path)
    one.run(bowl, 3)
    for number in (0, 2):
        one.keep_checked(number, [float(number)])
    assert study(tmp_path).checked == {0: [0.0], 2: [2.0]}


def test_workers_share_the_trials(tmp_path):
    def work(number):
        study(tmp_path).run(bowl, 12, worker=number)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, (1, 2)))
    found = study(tmp_path).finished
    assert len(found) == 12
    assert len({str(trial.values) for trial in found}) == 12


def test_a_worker_is_one_process(tmp_path):
    def nested(name, params):
        with pytest.raises(InputError, match="part 1 of this search is at work"):
            study(tmp_path).run(bowl, 5)
        return bowl(name, params)

    study(tmp_path).run(nested, 1)


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.search.test_study import bowl, study
left = int(sys.argv[2])
def measure(name, params):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return bowl(name, params)
study(Path(sys.argv[1])).run(measure, 12)
"""


def test_a_killed_search_goes_on_as_if_nothing_had_happened(tmp_path):
    """Also where the last line of its journal is torn."""
    killed, whole = tmp_path / "killed", study(tmp_path / "whole")
    for left in (3, 0, 4):
        command = [sys.executable, "-c", KILLED, str(killed), str(left)]
        done = subprocess.run(command, env={**os.environ}, check=False)
        assert done.returncode == -signal.SIGKILL
        with (killed / JOURNAL).open("ab") as file:
            file.write(b'{"op_code":5,"wor')
    study(killed).run(bowl, 12)
    whole.run(bowl, 12)
    assert values(study(killed)) == values(whole)

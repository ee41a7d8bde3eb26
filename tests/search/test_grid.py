"""Full grids: their points, by hand."""

import pytest

from espnet_merge.errors import InputError
from espnet_merge.search.goals import Goal
from espnet_merge.search.grid import grid
from espnet_merge.search.space import Choices, Range, Space
from espnet_merge.search.study import Study

SPACE = Space(
    "ties",
    {
        "density": Range(low=0.01, high=1, log=True),
        "scale": {"fc1": Range(low=0, high=3, first=1), "default": 1.0},
        "consensus": Choices(choices=["mean", "sum"]),
    },
)


def test_levels_are_middles_of_equal_parts_and_choices_are_all():
    first, *points = grid(SPACE, 9)
    # Two of each: 2 · 2 · 2 are 8, and the first.
    assert first == {
        "density": pytest.approx(0.1),
        "scale[fc1]": 1,
        "consensus": "mean",
    }
    assert len(points) == 8
    assert {point["scale[fc1]"] for point in points} == {0.75, 2.25}
    densities = sorted({point["density"] for point in points})
    assert densities == pytest.approx([10**-1.5, 10**-0.5])
    assert len({str(point) for point in points}) == 8


def test_the_first_ranges_get_one_level_more():
    _, *points = grid(SPACE, 14)
    levels = {name: len({point[name] for point in points}) for name in SPACE.open}
    assert levels == {"density": 3, "scale[fc1]": 2, "consensus": 2}


def test_steps_and_whole_numbers_are_kept_to():
    steps = Space("ties", {"scale": Range(low=0.2, high=1, step=0.4)})
    assert [round(x["scale"], 6) for x in grid(steps, 99)[1:]] == [0.2, 0.6, 1.0]
    whole = Space("x", {"rank": Range(low=1, high=4, whole=True)})
    assert [x["rank"] for x in grid(whole, 9)[1:]] == [1, 2, 3, 4]


def test_too_few_trials_for_the_choices_are_refused():
    with pytest.raises(
        InputError, match="at least 3 trials, one for each of its choices and"
    ):
        grid(SPACE, 2)


@pytest.fixture
def study(tmp_path):
    def made(name="a", **others):
        return Study(
            directory=tmp_path / name,
            spaces={"ties": SPACE},
            goals=[Goal("error")],
            record={},
            sampler="grid",
            **others,
        )

    return made


def tried(found):
    return [trial.values for trial in found.finished]


def test_a_study_tries_each_point_once_and_ends(study):
    found = study()
    found.run(lambda name, params: [params["density"]], 11)
    assert tried(found) == grid(SPACE, 11)
    assert len(tried(found)) == 9
    study().run(lambda *given: pytest.fail("tried again"), 11)


def test_a_point_that_failed_is_tried_again(study):
    def fail(name, params):
        if params["consensus"] == "sum":
            raise KeyboardInterrupt
        return [0.0]

    with pytest.raises(KeyboardInterrupt):
        study().run(fail, 9)
    assert len(tried(study())) == 2
    study().run(lambda name, params: [0.0], 9)
    assert tried(study()) == grid(SPACE, 9)

"""The picture shows every trial, the front, and what was taken."""

import pytest
from matplotlib.colors import to_rgba

from espnet_merge.search.goals import Goal, costs, front, order
from espnet_merge.search.picture import COLOURS, draw

GOALS = [Goal("error rate in %"), Goal("error rate in %, kept")]


@pytest.fixture
def content():
    """Twenty trials of two methods, in which one goal is against the other."""
    trials = [
        {
            "space": space,
            "values": {"scale": 0.1 * i, "consensus": "sum"}
            if space == "ties"
            else {"beta": i / 10},
            "scores": [20 - i + 3 * (space == "ties"), 10 + 0.3 * i**1.5],
        }
        for i in range(1, 11)
        for space, values in (
            ("ties", {"scale": 0.1 * i, "consensus": "sum"}),
            ("boosted", {"beta": i / 10}),
        )
    ]
    cost = costs([trial["scores"] for trial in trials], GOALS)
    return {
        "spaces": {
            "ties": {"open": {"scale": {"log": True}, "consensus": {}}},
            "boosted": {"open": {"beta": {}}},
        },
        "goals": [goal._asdict() for goal in GOALS],
        "importances": {"error rate in %": {"space": 0.1, "ties.scale": 0.9}},
        "trials": trials,
        "front": front(cost),
        "best": order(cost)[0],
    }


def test_panels_show_all_trials_and_what_was_taken(content):
    figure = draw(content)
    plane, scale, consensus, beta, *empty = figure.axes
    assert [axes.get_xlabel() for axes in (plane, scale, consensus, beta)] == [
        "error rate in %",
        "ties: scale, 90 %",
        "ties: consensus",
        "boosted: beta",
    ]
    counts = [len(a.collections[0].get_offsets()) for a in figure.axes[:4]]
    assert counts == [20, 10, 10, 10]
    assert (scale.get_xscale(), beta.get_xscale()) == ("log", "linear")
    line, ring, star = plane.lines
    assert len(line.get_xdata()) == len(content["front"]) == 10
    best = content["trials"][content["best"]]
    assert (star.get_xdata()[0], star.get_ydata()[0]) == tuple(best["scores"])
    assert ring.get_xdata()[0] == content["trials"][0]["scores"][0]
    assert best["space"] == "boosted", "so that no star is in the panels of ties"
    assert [len(axes.lines) for axes in (scale, consensus, beta)] == [1, 1, 1]
    assert tuple(beta.collections[0].get_facecolor()[0]) == to_rgba(COLOURS[1])
    assert [axes.axison for axes in empty] == [False, False]
    assert "20 trials of ties, boosted" in figure.get_suptitle()


def test_one_goal_and_one_parameter(content):
    content["goals"] = content["goals"][:1]
    content["trials"] = [t for t in content["trials"] if t["space"] == "boosted"]
    del content["spaces"]["ties"]
    content["best"] = 9
    figure = draw(content)
    assert [axes.axison for axes in figure.axes] == [True, False, False]
    assert figure.axes[0].get_xlabel() == "beta"
    assert len(figure.axes[0].lines) == 2


@pytest.mark.parametrize("maximise", [False, True])
def test_what_is_far_worse_stands_at_the_edge(content, maximise):
    sign = -1 if maximise else 1
    content["goals"] = [Goal("error rate in %", maximise)._asdict()]
    content["trials"] = [
        {**t, "scores": [sign * t["scores"][0]]}
        for t in content["trials"]
        if t["space"] == "boosted"
    ]
    del content["spaces"]["ties"]
    content["best"] = 9
    content["trials"][1]["scores"] = [sign * 900.0]
    axes, *_ = draw(content).axes
    # Scores are 10 to 19 but for the one: quartiles 12.25 and 16.75.
    edge = axes.get_ylim()[not maximise]
    assert sign * edge == pytest.approx(16.75 + 1.5 * 4.5)
    every, (far,) = (x.get_offsets() for x in axes.collections)
    assert len(every) == 10
    assert far.tolist() == [pytest.approx(0.2), edge]

"""What a picture of differences says: order, verdicts, and intervals that are cut."""

from dataclasses import replace

import pytest

from espnet_merge.bin.seeds import Command
from espnet_merge.errors import InputError
from espnet_merge.report.seed_differences import Differences, Verdict
from espnet_merge.report.seed_picture import COLOURS, draw_differences
from espnet_merge.report.seed_plan import Column
from espnet_merge.score.replicated import Replicated
from tests.report.seeded import SETS, rows_of, write_data, write_seed

FOUND = {
    "worse": (3.0, 2.5, 3.5, 0.001),
    "unknown": (2.5, -1.0, 6.0, 0.4),
    "equal": (0.1, -0.5, 0.7, 0.9),
    "better": (-3.0, -4.0, -2.0, 0.01),
    "loops": (80.0, -20.0, 180.0, 0.9),
}


def table(metric="wer"):
    found = {
        system: Replicated(
            seeds=3, a=20, b=20 + points, points=points, low=low, high=high, p=p,
            p_models=p,
        )
        for system, (points, low, high, p) in FOUND.items()
    }  # fmt: skip
    column = Column("in-domain", metric, ["a"])
    return Differences(
        "joint", column, found, {name: x[-1] for name, x in FOUND.items()}
    )


def marks(axes, marker):
    """Return (x, y, colour) of every mark of a kind."""
    return [
        (*line.get_xydata()[0], line.get_color())
        for line in axes.lines
        if line.get_marker() == marker and len(line.get_xdata())
    ]


def test_systems_stand_in_order_in_the_colour_of_their_verdict():
    figure = draw_differences([table(), table()])
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["better", "equal", "unknown", "worse", "loops"]
    for axes in figure.axes:
        dots = {names[int(y)]: (x, colour) for x, y, colour in marks(axes, "o")}
        assert dots == {
            "better": (-3.0, COLOURS[Verdict.BETTER]),
            "equal": (0.1, COLOURS[Verdict.EQUAL]),
            "unknown": (2.5, COLOURS[Verdict.UNKNOWN]),
            "worse": (3.0, COLOURS[Verdict.WORSE]),
        }
    assert figure.get_suptitle().startswith("Difference to joint in points, 95 %")


def test_an_interval_that_is_cut_ends_in_arrows_and_a_number():
    (axes,) = draw_differences([table()]).axes
    # The median end is 4 points, so that axes end at three times the limit of equality.
    assert [(x, y) for x, y, _ in marks(axes, "<")] == [(-6, 4)]
    assert [(x, y) for x, y, _ in marks(axes, ">")] == [(6, 4)]
    assert [text.get_text().strip() for text in axes.texts] == ["+80"]


def test_more_bleu_is_better():
    assert table("bleu").verdict("worse") is Verdict.BETTER
    assert table("bleu").verdict("better") is Verdict.WORSE


def test_columns_without_a_difference_are_left_out():
    empty = replace(table(), found={}, p={})
    later = replace(table(), found={"later": table().found["equal"]}, p={"later": 0.9})
    figure = draw_differences([empty, table(), later])
    assert len(figure.axes) == 2
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["better", "equal", "unknown", "worse", "loops", "later"]
    with pytest.raises(InputError, match="no system shares a set and a seed with it"):
        draw_differences([empty])


def test_command_draws_and_says_what_it_needs(tmp_path):
    write_data(tmp_path / "data", 20)
    shares = {"joint": 0.1, "soup": 0.5}
    for seed in range(2):
        write_seed(tmp_path / "data", tmp_path / f"seed_{seed}", seed, shares)
    rows = rows_of([tmp_path / f"seed_{seed}" for seed in range(2)], shares)
    picture, output = tmp_path / "x.png", tmp_path / "x.md"
    asked = {"row": rows, "sets": list(SETS), "output": output, "picture": picture}
    with pytest.raises(InputError, match=r"differences to a --baseline; name one\.$"):
        Command(**asked)()
    assert not picture.exists()
    assert not output.exists()
    Command(**asked, baseline=["joint"])()
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="--save writes none"):
        Command(**asked, save=tmp_path / "x.json")

"""Tables of differences and sentences, against the tests that they show."""

import re
from dataclasses import replace

import pytest

from espnet_merge.errors import InputError
from espnet_merge.report.runs import read_runs
from espnet_merge.report.seed_differences import Differences, SeedComparison
from espnet_merge.report.seed_plan import Column, SeedPlan
from espnet_merge.report.seeds import markdown
from espnet_merge.score.compare import difference
from espnet_merge.score.design import Design
from espnet_merge.score.holm import holm
from espnet_merge.score.mapsswe import mapsswe
from espnet_merge.score.parts import read_parts
from espnet_merge.score.replicated import Replicated, replicated
from tests.report.seeded import SETS, SHARES, rows_of, write_data, write_seed

MEANS = {"in-domain": ["en_a_test", "en_b_test"]}
PLAN = SeedPlan(
    sets=list(SETS),
    means=MEANS,
    base="zero",
    baseline=["joint"],
    merges=["soup", "ties"],
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("seeds")
    write_data(place / "data")
    for seed in range(3):
        write_seed(place / "data", place / f"seed_{seed}", seed, SHARES)
    return place


@pytest.fixture(scope="module")
def rows(place):
    return rows_of([place / f"seed_{seed}" for seed in range(3)], SHARES)


def cells(lines, heading, row):
    """Return the cells of a row of the table under a heading."""
    start = lines.index(heading)
    (line,) = [x for x in lines[start:] if x.startswith(f"| {row} |")][:1]
    return line.strip("| ").split(" | ")


def paired(place, system, names, seeds):
    """Return the parts of joint and a system, from their texts."""
    parts = []
    for name in names:
        exps = [place / f"seed_{seed}" for seed in seeds]
        first = exps[:1] * len(exps) if system == "zero" else exps
        places = [x / "joint" / name for x in exps] + [x / system / name for x in first]
        parts += read_parts(place / "data" / name, places, "basic", "wer")
    return parts


def test_a_merge_of_fewer_seeds_that_wins_is_not_called_worse(place):
    """It cannot be the best, for luck in one seed is not luck in three."""
    exps = [place / f"seed_{seed}" for seed in range(3)]
    rows = rows_of(exps, SHARES)
    rows["joint"] = [x for x in rows["joint"] if "seed_0" in str(x)]
    plan = replace(PLAN, baseline=[], merges=["ties", "joint"])
    said = list(markdown(SeedComparison(read_runs(rows), plan)))[-1]
    assert said == (
        "- in-domain (wer): of the merges `ties` is the best. On the fewer seeds of "
        "`joint` these are better."
    )


def test_differences_to_the_baseline_are_those_of_the_texts(place, rows):
    lines = list(markdown(SeedComparison(read_runs(rows), PLAN)))
    heading = "### Difference to joint"
    found = [
        replicated(paired(place, system, MEANS["in-domain"], range(3)), Design())
        for system in ("zero", "soup", "ties")
    ]
    p = holm([x.p for x in found])
    for system, own, corrected in zip(("zero", "soup", "ties"), found, p, strict=True):
        shown = "<0.001" if corrected < 0.001 else f"{corrected:.3f}"
        assert cells(lines, heading, system) == [
            system,
            "3",
            f"{own.points:+.1f} [{own.low:+.1f}, {own.high:+.1f}], p {shown}",
        ]
    assert not any(line.startswith("| joint | 3 |") for line in lines)
    # Means are there, so sets are not in this table.
    assert "| system | seeds | in-domain (wer) |" in lines


def test_one_pair_is_shown_set_by_set(place, rows):
    lines = list(markdown(SeedComparison(read_runs(rows), PLAN)))
    heading = "### soup less joint, set by set"
    (part,) = paired(place, "soup", ["en_a_test"], range(3))
    a, b = part.slots[:3], part.slots[3:]
    expected = mapsswe(sum(a), sum(b), part.lengths).p
    other = paired(place, "soup", ["en_b_test"], range(3))[0]
    both = holm(
        [expected, mapsswe(sum(other.slots[:3]), sum(other.slots[3:]), other.lengths).p]
    )
    row = cells(lines, heading, "en_a_test (wer)")
    assert row[1] == "3"
    assert row[-1] == f"{both[0]:.3f}"
    assert cells(lines, heading, "es-en_test (bleu)")[-1] == "–"


def test_one_seed_is_tested_as_compare_does(place):
    rows = rows_of([place / "seed_0"], ("zero", "joint", "ties"))
    plan = SeedPlan(sets=["en_a_test"], base="zero", baseline=["joint"])
    lines = list(markdown(SeedComparison(read_runs(rows), plan)))
    (part,) = paired(place, "ties", ["en_a_test"], [0])
    # As often as the strictest level of three systems asks for.
    design = Design(resamples=1200)
    own = difference([part], [design.draw(part)], 0, 1, design)
    cell = cells(lines, "### Difference to joint", "ties")[2]
    assert cell.startswith(f"{own.points:+.1f} [{own.low:+.1f}, {own.high:+.1f}], p ")


def test_what_it_says(rows):
    text = "\n".join(markdown(SeedComparison(read_runs(rows), PLAN)))
    said = text.partition("What it says:")[2]
    assert re.search(
        r"- in-domain \(wer\): `soup` and `joint` cannot be told apart", said
    )
    assert "of the merges `soup` is the best; it is better than `ties`." in said
    assert "is better than `ties`." in said
    # BLEU: more is better.
    plan = SeedPlan(sets=["es-en_test"], base="zero", baseline=["joint"])
    two = {name: rows[name] for name in ("zero", "joint")}
    text = "\n".join(markdown(SeedComparison(read_runs(two), plan)))
    assert "### zero less joint" in text
    assert "- es-en_test (bleu): `zero` is worse than `joint` by" in text


BETTER = "by 1.2 points (-1.2 [-2.0, -0.4], p 0.010)."
ALIKE = "and `b` cannot be told apart"


@pytest.mark.parametrize(
    ("metric", "points", "low", "high", "p", "said"),
    [
        ("wer", -1.2, -2.0, -0.4, 0.01, f"is better than `b` {BETTER}"),
        ("bleu", -1.2, -2.0, -0.4, 0.01, f"is worse than `b` {BETTER}"),
        ("wer", 0.7, -0.8, 2.2, 0.5, f"{ALIKE} (+0.7 [-0.8, +2.2], p 0.500)."),
        ("wer", -0.7, -2.2, 0.8, 0.5, f"{ALIKE} (-0.7 [-2.2, +0.8], p 0.500)."),
        (
            *("wer", 0.5, -0.9, 1.9, 0.5),
            f"{ALIKE} (+0.5 [-0.9, +1.9], p 0.500; equal within ±2 points).",
        ),
    ],
)
def test_equal_is_said_of_short_intervals_alone(metric, points, low, high, p, said):
    own = Replicated(
        seeds=3, a=0, b=points, points=points, low=low, high=high, p=p, p_models=p
    )
    tested = Differences("b", Column("all", metric, []), {"a": own}, {"a": p})
    assert tested.sentence("a") == f"all ({metric}): `a` {said}"


def test_the_best_of_several_baselines_is_the_baseline_and_is_said_to_be(rows):
    plan = SeedPlan(sets=["en_a_test"], base="zero", baseline=["ties", "joint"])
    lines = list(markdown(SeedComparison(read_runs(rows), plan)))
    assert "### Difference to joint" in lines
    assert any(line.startswith("Of ties, joint it has the best mean") for line in lines)


def test_a_baseline_of_fewer_seeds_is_not_the_best(place):
    names = ["joint", "soup", "ties", "zero"]
    rows = rows_of([place / f"seed_{seed}" for seed in range(3)], names)
    for seed in range(3):  # one of them is better than their mean
        rows[f"only {seed}"] = rows_of([place / f"seed_{seed}"], ["joint"])["joint"]
    baseline = [name for name in rows if name not in names[1:]]
    lines = list(
        markdown(SeedComparison(read_runs(rows), replace(PLAN, baseline=baseline)))
    )
    assert "### Difference to joint" in lines


def test_systems_are_compared_with_the_seeds_that_both_have(place, rows):
    fewer = {**rows, "ties": rows["ties"][:6]}
    lines = list(markdown(SeedComparison(read_runs(fewer), PLAN)))
    heading = "### Difference to joint"
    assert [cells(lines, heading, s)[1] for s in ("zero", "soup", "ties")] == [
        "3",
        "3",
        "2",
    ]
    own = replicated(paired(place, "ties", MEANS["in-domain"], range(2)), Design())
    assert cells(lines, heading, "ties")[2].startswith(
        f"{own.points:+.1f} [{own.low:+.1f}"
    )


def test_without_baseline_and_merges_there_are_no_tests(rows):
    plan = SeedPlan(sets=["en_a_test"], base="zero")
    assert "p:" not in "\n".join(markdown(SeedComparison(read_runs(rows), plan)))


def test_texts_that_are_not_those_scored_are_refused(tmp_path):
    write_data(tmp_path / "data", 5)
    write_seed(tmp_path / "data", tmp_path / "exp", 0, {"joint": 0.2, "soup": 0.3})
    rows = rows_of([tmp_path / "exp"], ("joint", "soup"))
    plan = SeedPlan(sets=["en_a_test"], baseline=["joint"])
    text = tmp_path / "exp" / "soup" / "en_a_test" / "text"
    text.write_text(text.read_text().replace("wrong", "right"))
    with pytest.raises(InputError, match=r"must hold the texts that score\.json is of"):
        list(markdown(SeedComparison(read_runs(rows), plan)))
    # Without tests they are not looked at.
    list(markdown(SeedComparison(read_runs(rows), SeedPlan(sets=["en_a_test"]))))
    with pytest.raises(
        InputError, match="--merges must be of the systems, which are j"
    ):
        list(
            markdown(
                SeedComparison(
                    read_runs(rows), SeedPlan(sets=["en_a_test"], merges=["x"])
                )
            )
        )

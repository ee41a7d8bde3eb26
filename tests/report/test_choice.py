"""Rates are of 40 utterances of one length, whose errors are spread evenly."""

import numpy as np
import pytest

from espnet_merge.report.choice import Task, choice
from espnet_merge.report.files import write_report
from espnet_merge.report.findings import find
from espnet_merge.report.plan import Plan
from espnet_merge.report.results import read_results
from tests.report.fake import MODE, read, write_exp


def chosen(exp, **changes):
    return find(read(exp, **changes), exp).choice


def test_the_best_is_chosen_where_nothing_cheaper_comes_near(exp):
    assert chosen(exp) == (
        "Use tsv_m here, one model merged from experts: 12.0 errors in 100 words of es,"
        " it, where zero_shot, the untrained model, makes 30.0."
    )


def test_cheaper_ways_that_are_significantly_worse_are_named(exp):
    sentence = chosen(exp, merges=["soup"])
    assert sentence.startswith("Use joint here, one model trained on the data of all")
    assert sentence.endswith("; what costs less is significantly worse (soup 20.0).")


def test_what_cannot_be_told_from_the_best_and_costs_less_is_chosen(exp):
    """One utterance of 40 has one error more; a resample may not hold it."""
    rates = {"close": {"es": 12.1, "it": 14.0, "en": 10.0}}
    write_exp(exp, rates, "padded")
    sentence = chosen(exp, merges=["close"])
    assert sentence.startswith("Use close here, one model merged from experts: 13.1 ")
    assert "; the best, joint (one model trained on the data of all groups)" in sentence
    assert "cannot tell the two apart (difference [0.0, 0." in sentence
    assert sentence.endswith("), and close costs less.")


@pytest.mark.parametrize(
    ("language", "groups", "system"),
    [
        (None, {"es": ["es_test"], "it": ["it_test"]}, "routed"),
        ("auto", {"es": ["es_test"], "it": ["it_test"]}, "routed_heard"),
        # Two groups of one language: nobody is told which an utterance is of.
        (None, {"es": ["es_test"], "it": ["es_tv_test"]}, "routed_heard"),
    ],
)
def test_a_route_by_groups_counts_where_users_know_them(exp, language, groups, system):
    mode = {**MODE, "language": language}
    rates = {
        "zero_shot": {"es": 40.0, "it": 20.0, "es_tv": 40.0},
        "routed": {"es": 5.0, "it": 5.0, "es_tv": 5.0},
        "routed_heard": {"es": 8.0, "it": 8.0, "es_tv": 8.0},
    }
    write_exp(exp, rates, "other", mode)
    sets = [name for members in groups.values() for name in members]
    plan = Plan(
        base="zero_shot",
        experts=[],
        joint=[],
        merges=[],
        routed=["routed", "routed_heard"],
        sets=sets,
        groups=groups,
    )
    results = read_results(exp, plan, "other")
    assert find(results, exp).choice.startswith(f"Use {system} here, an expert for")


@pytest.mark.parametrize(
    ("routed", "system"),
    [
        (["routed"], "soup"),
        (["mixture", "routed"], "mixture"),
        (["routed_heard", "mixture"], "routed_heard"),
    ],
)
def test_a_route_by_unknown_groups_is_never_chosen(exp, routed, system):
    rates = {
        "zero_shot": {"es": 40.0, "it": 20.0},
        "soup": {"es": 20.0, "it": 20.0},
        "routed": {"es": 5.0, "it": 5.0},
        "routed_heard": {"es": 8.0, "it": 8.0},
        "mixture": {"es": 15.0, "it": 15.0},
    }
    write_exp(exp, rates, "other", {**MODE, "language": "auto"})
    plan = Plan(
        base="zero_shot",
        experts=[],
        joint=[],
        merges=["soup"],
        routed=routed,
        sets=["es_test", "it_test"],
        groups={"es": ["es_test"], "it": ["it_test"]},
    )
    sentence = find(read_results(exp, plan, "other"), exp).choice
    assert sentence.startswith(f"Use {system} here, ")


def test_what_the_chosen_system_forgets_is_said(exp):
    write_exp(exp, {"forgets": {"es": 5.0, "it": 5.0, "en": 30.0}}, "padded")
    sentence = chosen(exp, merges=["forgets"])
    assert sentence.endswith("It is significantly worse than zero_shot on en.")
    # Nor is it forgotten while another set has no score yet.
    write_exp(exp, {"zero_shot": {"ru": 10.0}}, "padded")
    sets = ["es_test", "it_test", "en_test", "ru_test"]
    sentence = chosen(exp, merges=["forgets"], sets=sets)
    assert sentence.endswith("It is significantly worse than zero_shot on en.")


def test_without_a_choice_nothing_is_said(exp):
    assert chosen(exp, merges=[], joint=[]) == ""
    assert chosen(exp, groups={}, experts=[]) == ""


def test_it_stands_before_the_details(exp):
    report = write_report(read(exp).plan, exp, exp / "out", ["padded"], command="")
    for text in (report.files[0].read_text(), repr(report)):
        assert 0 < text.index(chosen(exp)) < text.index("Best merge: tsv_m")


def at(results, better, **means):
    """Return a task in which each mean is known to a point or so."""
    noise = np.random.default_rng(0).normal(scale=0.5, size=(len(means), 1000))
    drawn = {x: means[x] + own for x, own in zip(means, noise, strict=True)}
    return Task(results, means, drawn, better)


def test_what_is_chosen_is_good_at_both_tasks(exp):
    """A merge as good as the best at one task, and worse at the other, is none."""
    results = read(exp)
    words = at(results, min, zero_shot=30, soup=19, tsv_m=13, joint=12.9)
    bleu = at(results, max, zero_shot=13, soup=22, tsv_m=23, joint=29)
    assert choice([words], {}).startswith("Use tsv_m here, one model merged")
    sentence = choice([words, bleu], {})
    assert sentence.startswith("Use joint here, one model trained on the data of all")
    assert sentence.endswith(
        "; what costs less is significantly worse (tsv_m 13.0 and 23.0)."
    )
    close = at(results, max, zero_shot=13, soup=22, tsv_m=28.9, joint=29)
    sentence = choice([words, close], {"tsv_m": ["fr-en"]})
    assert sentence.startswith("Use tsv_m here, ")
    assert "joint (one model trained on the data of all groups), makes 29.0" in sentence
    assert sentence.endswith("It is significantly worse than zero_shot on fr-en.")


def test_the_merge_for_two_tasks_is_bad_at_none(exp):
    results = read(exp, merges=["soup", "ties", "tsv_m"])
    words = at(results, min, zero_shot=30, soup=20, ties=13, tsv_m=13.1, joint=50)
    bleu = at(results, max, zero_shot=13, soup=25, ties=10, tsv_m=24.9, joint=1)
    assert choice([words], {}).startswith("Use ties here, ")
    assert choice([bleu], {}).startswith("Use soup here, ")
    assert choice([words, bleu], {}).startswith("Use tsv_m here, ")


def test_without_one_system_for_both_tasks_each_has_its_own(exp):
    results = read(exp, merges=["tsv_m"])
    words = at(results, min, zero_shot=30, tsv_m=12, joint=20)
    bleu = at(results, max, zero_shot=13, tsv_m=14, joint=29)
    first, second, third = choice([words, bleu], {}).split(" Use ")
    assert first == "No system is as good as the best at each task."
    assert second.startswith("tsv_m here, ")
    assert third.startswith("joint here, ")


def test_nothing_is_said_of_a_task_that_cannot_be_tested(exp):
    results = read(exp)
    words = at(results, min, zero_shot=30, tsv_m=13, joint=12.9)
    untested = Task(results, words.means, {}, max)
    assert choice([words], {})
    assert choice([words, untested], {}) == ""


def test_a_route_that_is_of_use_at_one_task_alone_is_none(exp):
    write_exp(exp, {"zero_shot": {"es_tv": 40.0}}, "padded")
    routed = {"experts": [], "merges": ["soup"], "joint": [], "routed": ["routed"]}
    # Two groups of one language: nobody is told which an utterance is of.
    groups = {"es": ["es_test"], "tv": ["es_tv_test"]}
    apart = read(exp, **routed)
    alike = read(exp, **routed, groups=groups, sets=["es_test", "es_tv_test"])
    words = at(apart, min, zero_shot=30, soup=20, routed=12)
    bleu = at(alike, max, zero_shot=13, soup=25, routed=30)
    assert choice([words], {}).startswith("Use routed here, ")
    assert choice([bleu], {}).startswith("Use soup here, ")
    first, second, third = choice([words, bleu], {}).split(" Use ")
    assert first == "No system is as good as the best at each task."
    assert (second.split()[0], third.split()[0]) == ("routed", "soup")

"""Each rule of advice, from hypotheses that make it fire; rates and intervals."""

import numpy as np
import pytest

from espnet_merge.advice.facts import BASE, GROUPED, MERGED, OWN, Facts
from espnet_merge.advice.rules import RULES, decide
from espnet_merge.score.counts import align, count
from espnet_merge.score.sample import Counted, Sample

REFERENCE = "one two three four five six seven eight nine ten"


def said(wrong):
    """Return the reference with so many wrong words."""
    return " ".join(["x"] * wrong + REFERENCE.split()[wrong:])


def sample(**errors):
    """Return ten utterances of two sets, with so many wrong words in each."""
    counted = {
        system: count(align(REFERENCE, said(wrong), "wer")).errors
        for system, wrong in errors.items()
    }
    rows = np.array([[*counted.values()]] * 10)
    tokens = np.full(10, len(REFERENCE.split()))
    return Sample(
        list(counted), {"es": Counted(tokens, rows), "it": Counted(tokens, rows)}
    )


def rates(base, own, merged, grouped=None):
    found = {BASE: base, OWN: own, MERGED: merged}
    return sample(**found, **({} if grouped is None else {GROUPED: grouped}))


HYPOTHESES = {
    "no gain": Facts(sample=rates(3, 3, 3)),
    "merge keeps the gain": Facts(sample=rates(6, 2, 3)),
    "groups": Facts(
        sample=rates(6, 2, 5, 3),
        groups=[["es", "fr"], ["ru"]],
        why_groups="experts pull apart",
    ),
    "languages tell experts apart": Facts(sample=rates(6, 2, 5), identified=0.9),
    "adapters are cheap to route": Facts(sample=rates(6, 2, 5), adapters=True),
    "nothing else keeps the gain": Facts(sample=rates(6, 2, 5)),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_fires(rule):
    facts = HYPOTHESES[rule.name]
    assert decide(facts) is rule
    assert rule.why(facts).endswith(".")
    assert rule.source


def test_there_is_a_hypothesis_for_each_rule_and_all_choices_are_advised():
    assert [*HYPOTHESES] == [rule.name for rule in RULES]
    assert {rule.advises for rule in RULES} == {
        *("keep the base", "merge all", "merge groups", "route", "train jointly")
    }


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        # Three quarters of the gain are enough, a little less is not.
        (Facts(sample=rates(6, 2, 3)), "merge keeps the gain"),
        (Facts(sample=rates(8, 2, 4), adapters=True), "adapters are cheap to route"),
        # A router that errs too often is no better than the merge.
        (Facts(sample=rates(6, 2, 5), identified=0.2), "nothing else keeps the gain"),
        # Groups that gain nothing are not advised.
        (
            Facts(sample=rates(6, 2, 5, 5), groups=[["a", "b"], ["c"]]),
            "nothing else keeps the gain",
        ),
    ],
)
def test_limits(facts, name):
    assert decide(facts).name == name


def test_a_merge_that_harms_a_set_is_not_advised():
    good = rates(6, 2, 2).sets["es"]
    # Nine times as many words: the mean of the other set is kept all the same.
    tokens = np.full(10, 100)
    bad = Counted(tokens, np.array([[6, 6, 9]] * 10))
    facts = Facts(sample=Sample([BASE, OWN, MERGED], {"es": good, "it": bad}))
    assert facts.kept.value > 75
    assert facts.harmed == ["it"]
    assert decide(facts).name == "nothing else keeps the gain"


def test_rates_are_means_over_sets_of_corpus_rates():
    one = Counted(np.array([10, 30]), np.array([[1, 0], [1, 2]]))
    two = Counted(np.array([20]), np.array([[4, 3]]))
    found = Sample(["a", "b"], {"one": one, "two": two})
    assert found.rate("a").value == pytest.approx((100 * 2 / 40 + 100 * 4 / 20) / 2)
    assert found.difference("a", "b").value == pytest.approx(
        found.rate("a").value - found.rate("b").value
    )
    mixture = found.mixture({"a": 0.25, "b": 0.75}).value
    assert mixture == pytest.approx(
        0.25 * found.rate("a").value + 0.75 * found.rate("b").value
    )


def test_intervals_cover_the_rate_as_often_as_they_say():
    """Of 95 % intervals on 40 utterances each, about so many hold the true rate."""
    draws = np.random.default_rng(0)
    held = 0
    for _ in range(60):
        errors = draws.binomial(10, 0.2, (40, 1))
        low, high = Sample(["a"], {"one": Counted(np.full(40, 10), errors)}).rate("a")[
            1:
        ]
        held += low <= 20 <= high
    assert 50 <= held <= 60


def test_what_is_kept_has_no_interval_where_there_may_be_no_gain():
    draws = np.random.default_rng(0)
    errors = draws.binomial(10, 0.3, (10, 3))
    errors[:, 1] = draws.permutation(errors[:, 0])
    errors[0, 1] -= 1
    found = Sample([BASE, OWN, MERGED], {"one": Counted(np.full(10, 10), errors)})
    assert found.kept(MERGED, BASE, OWN)[1:] == (-np.inf, np.inf)
    sure = rates(6, 2, 3).kept(MERGED, BASE, OWN)
    assert sure == pytest.approx((75, 75, 75))

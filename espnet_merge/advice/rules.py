"""The rules of advice: the first that holds decides.

Each says what it asks, what it advises, why in words, and where its limit comes from.
``benchmarks/advice.py`` checks them against full tables.
"""

from collections.abc import Callable
from typing import NamedTuple

from espnet_merge.advice.facts import Choice, Facts

# Percentage of the experts' gain that a merge must keep.
KEPT = 75.0
# Points of error rate that make a second model worth while.
WORTH = 0.0


class Rule(NamedTuple):
    """A line of the table.

    Attributes:
        name: what it is called.
        holds: whether it decides.
        advises: the choice.
        why: in words, of the facts.
        source: where its limit comes from.
    """

    name: str
    holds: Callable[[Facts], bool]
    advises: Choice
    why: Callable[[Facts], str]
    source: str


RULES = (
    Rule(
        "no gain",
        lambda facts: facts.gain.value <= 0,
        "keep the base",
        lambda facts: (
            "on their own sets the experts are no better than the base"
            f" ({facts.gain} points): train them longer, or on more."
        ),
        "0 points, by definition: there is nothing to merge",
    ),
    Rule(
        "merge keeps the gain",
        lambda facts: facts.kept.value >= KEPT and not facts.harmed,
        "merge all",
        lambda facts: (
            f"the quick merge keeps {facts.kept} % of what the experts gain (at least"
            f" {KEPT:g} % asked), and harms no set."
        ),
        "the weakest merge that arXiv 2603.05354 keeps, Karcher's, keeps 76 % in"
        " domain: WER 15.62 of the base, 8.54 of full fine-tuning, 10.23 merged",
    ),
    Rule(
        "groups",
        lambda facts: bool(facts.grouped and facts.grouped.value > WORTH),
        "merge groups",
        lambda facts: (
            f"{facts.why_groups}; merged apart they are {facts.grouped} points better."
        ),
        "pairs: the limits of cosine and conflict in inspection/advice.py; sets that"
        " are harmed: a 95 % interval above 0; and any gain, 0 points [ours]",
    ),
    Rule(
        "languages tell experts apart",
        lambda facts: facts.identified is not None and facts.over_route > WORTH,
        "route",
        lambda facts: (
            "the base hears the right language of"
            f" {100 * (facts.identified or 0):.0f} % of the utterances; a route by it"
            f" is {facts.over_route:.1f} points better than the quick merge, errors of"
            " the route counted."
        ),
        "break-even of identified × own + (1 − identified) × base and the merge",
    ),
    Rule(
        "adapters are cheap to route",
        lambda facts: facts.adapters and facts.over_route > WORTH,
        "route",
        lambda facts: (
            "the experts are adapters of one base, so that a router"
            " (espnet-merge router) costs no second model; never wrong, it would be"
            f" {facts.over_route:.1f} points better than the quick merge."
        ),
        "parameters: adapters add a few per cent, models 100 % each [ours]",
    ),
    Rule(
        "nothing else keeps the gain",
        lambda facts: True,
        "train jointly",
        lambda facts: (
            f"the quick merge keeps {facts.kept} % of the gain, and nothing cheap tells"
            " which expert an utterance needs; one model trained on all data was better"
            " in domain than every merge of a benchmark with ten experts."
        ),
        "arXiv 2603.05354: full fine-tuning 8.54 in domain, the best merge 9.27",
    ),
)


def decide(facts: Facts) -> Rule:
    """Return the first rule that holds."""
    return next(rule for rule in RULES if rule.holds(facts))

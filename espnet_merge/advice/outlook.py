"""What each choice is expected to reach, and what it costs."""

from collections.abc import Sequence
from typing import NamedTuple

from espnet_merge.advice.facts import BASE, GROUPED, MERGED, OWN, Choice, Facts
from espnet_merge.advice.trial import Tried
from espnet_merge.checkpoint import Adapter, Checkpoint
from espnet_merge.score.sample import Rate

# Trials of 'espnet-merge search', by its default.
TRIALS = 50


class Outlook(NamedTuple):
    """What a choice is expected to reach, and to cost.

    Attributes:
        choice: what is chosen.
        rate: expected error rate, in percent, the mean over the sets; None where it was
            not tried.
        parameters: of all models that are held, in millions.
        decoding: seconds an utterance.
        minutes: to prepare it: a search of coefficients, as for ``search``; None of a
            training, which was not measured.
        note: what the numbers stand for.
    """

    choice: Choice
    rate: Rate | None
    parameters: float
    decoding: float
    minutes: float | None
    note: str


def outlooks(
    facts: Facts,
    tried: Tried,
    base: Checkpoint,
    experts: Sequence[Checkpoint | Adapter],
    utterances: int,
) -> list[Outlook]:
    """Return what each choice is expected to reach and to cost, the cheapest first.

    Args:
        facts: what is known.
        tried: how long it took.
        base: the base.
        experts: the experts.
        utterances: number of those in all development sets, which a search decodes.
    """
    one = parameters(base)
    every = one + sum(parameters(expert) for expert in experts)
    decoding, routing = tried.decoding, tried.decoding + tried.encoding
    search = TRIALS * (utterances * decoding + tried.merging) / 60
    groups = len(facts.groups)
    rate, apart = facts.sample.rate, GROUPED in facts.sample.systems
    searched = f"minutes: {TRIALS} trials of search"
    told = (
        "by language, as the base hears it; where it errs, the base"
        if facts.identified is not None
        else "if the router never errs"
    )
    return [
        Outlook("keep the base", rate(BASE), one, tried.by_base, 0, "measured"),
        Outlook(
            "merge all", rate(MERGED), one, decoding, search, f"measured; {searched}"
        ),
        Outlook(
            "merge groups",
            rate(GROUPED) if apart else None,
            one * max(1, groups),
            routing,
            search,
            f"measured, each set by its group; {searched}"
            if apart
            else "not tried: no two experts pull apart",
        ),
        Outlook("route", facts.routed, every, routing, 0, told),
        Outlook(
            "train jointly",
            rate(OWN),
            one,
            decoding,
            None,
            "what the experts reach, each on its own set; joint training was not tried",
        ),
    ]


def parameters(model: Checkpoint | Adapter) -> float:
    """Return the number of parameters of a model or an adapter, in millions."""
    stored = model.weights if isinstance(model, Adapter) else model
    return sum(entry.size for entry in stored.floats.values()) / 1e6

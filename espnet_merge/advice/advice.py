"""Advice to read, and the files that hold it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from espnet_merge.advice.facts import Facts
from espnet_merge.advice.outlook import Outlook
from espnet_merge.advice.rules import RULES, Rule
from espnet_merge.advice.trial import Tried
from espnet_merge.disk.atomic import whole_directory
from espnet_merge.inspection.inspection import Inspection
from espnet_merge.inspection.record import record
from espnet_merge.inspection.tables import MISSING, aligned, pairs
from espnet_merge.score.sample import Rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

ADVICE_JSON = "advice.json"
# Utterances of a set. A percentile bootstrap of n is too short by root n / (n - 1)
# (score/bootstrap.py): 5 % of ten, and more of fewer.
FEW = 10


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What to do with some experts; printed, with reasons and what else there is.

    Attributes:
        rule: the rule that decided.
        facts: what it asked for.
        tried: the trial.
        outlooks: what each choice is expected to reach and to cost.
        inspection: measures of the experts.
        warnings: of the inspection, a line each.
        configs: file name -> what 'espnet-merge merge --config' takes.
        seconds: of CPU that all of it took.
    """

    rule: Rule
    facts: Facts
    tried: Tried
    outlooks: Sequence[Outlook]
    inspection: Inspection
    warnings: Sequence[str]
    configs: Mapping[str, Mapping[str, Any]]
    seconds: float

    @property
    def choice(self) -> str:
        """What is advised."""
        return self.rule.advises

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.choice}: {self.rule.why(self.facts)}"
        yield f"  rule: {self.rule.name}; limit: {self.rule.source}"
        yield ""
        head = ["choice", "error rate", "95 %", "parameters", "s an utterance"]
        rows = [_row(one, self.choice) for one in self.outlooks]
        yield from aligned([[*head, "minutes"], *rows])
        yield from (f"  {one.choice}: {one.note}" for one in self.outlooks)
        yield ""
        yield f"experts: {described(self.inspection)}"
        yield from (f"  {warning}" for warning in self.warnings)
        counts = ", ".join(f"{k} {v}" for k, v in self.tried.utterances.items())
        heard = f"{100 * self.tried.identified:.0f} %"
        yield (
            f"tried: {counts} utterances; the base hears the right language of {heard};"
            f" {self.seconds:.0f} s of CPU in all"
        )
        if self.unsure:
            yield self.unsure

    @property
    def unsure(self) -> str:
        """Say so where more data might change the advice; else nothing."""
        gain, fewest = self.facts.gain, min(self.tried.utterances.values())
        if fewest < FEW:
            why = (
                f"of a set only {fewest} utterances were decoded (at least {FEW} asked)"
            )
        elif gain.low <= 0 < gain.high:
            why = f"whether the experts gain anything is not clear ({gain} points)"
        else:
            return ""
        return f"not sure: {why}; give more --seconds, or more data."

    @property
    def record(self) -> dict[str, Any]:
        """The content of ``advice.json``."""
        facts, sample = self.facts, self.facts.sample
        return {
            "advice": self.choice,
            "why": self.rule.why(facts),
            "rule": self.rule.name,
            "rules": [
                {"name": r.name, "holds": bool(r.holds(facts)), "source": r.source}
                for r in RULES
            ],
            "unsure": self.unsure,
            "choices": [
                {**one._asdict(), "rate": one.rate and _plain(one.rate)}
                for one in self.outlooks
            ],
            "gain": _plain(facts.gain),
            "kept": _plain(facts.kept),
            "harmed": facts.harmed,
            "groups": [list(group) for group in facts.groups],
            "identified": self.tried.identified,
            "heard": self.tried.heard,
            "utterances": self.tried.utterances,
            "errors": {
                name: {
                    "tokens": int(one.tokens.sum()),
                    **dict(
                        zip(sample.systems, one.errors.sum(0).tolist(), strict=True)
                    ),
                }
                for name, one in sample.sets.items()
            },
            "experts": record(self.inspection)["total"],
            "warnings": list(self.warnings),
            "seconds": round(self.seconds, 1),
        }

    def write(self, output: Path, *, overwrite: bool = False) -> None:
        """Write ``advice.json``, and a file for each merge that is advised.

        Args:
            output: directory to write.
            overwrite: whether older advice there may be replaced.
        """
        with whole_directory(output, ADVICE_JSON, overwrite=overwrite) as folder:
            text = json.dumps(self.record, indent=1, ensure_ascii=False)
            (folder / ADVICE_JSON).write_text(f"{text}\n", encoding="utf-8")
            for name, config in self.configs.items():
                text = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
                (folder / name).write_text(text, encoding="utf-8")


def configs_of(
    choice: str,
    method: str,
    base: Path,
    experts: Sequence[Path],
    groups: Sequence[Sequence[int]],
) -> dict[str, dict[str, Any]]:
    """Return the merges that a choice asks for, by the names of their files.

    Example:
        >>> experts = [Path("es"), Path("it"), Path("ru")]
        >>> groups = [[0, 2], [1]]
        >>> found = configs_of("merge groups", "soup", Path("b"), experts, groups)
        >>> found["advised_1.yaml"]["experts"], len(found)
        (['es', 'ru'], 1)
    """
    if choice == "merge all":
        groups, names = [range(len(experts))], ["advised.yaml"]
    elif choice == "merge groups":
        names = [f"advised_{number}.yaml" for number, _ in enumerate(groups, 1)]
    else:
        return {}
    return {
        name: {
            "method": method,
            "params": {},
            "base": str(base),
            "experts": [str(experts[number]) for number in group],
        }
        for name, group in zip(names, groups, strict=True)
        if len(group) > 1
    }


def described(inspection: Inspection) -> str:
    """Return how alike the experts are, in words.

    The numbers are of all pairs, over the whole model: lowest to highest.
    """
    total = inspection.total
    told = {
        "cosine {}": total.moments.cosine,
        "opposite signs {} %": 100 * total.moments.conflict,
        "overlap of subspaces {} %": 100 * total.mean("left"),
        "by chance {} %": 100 * total.mean("left_random"),
    }
    spans = [text.format(_span(pairs(values))) for text, values in told.items()]
    return "; ".join([*spans, f"stable rank {_span(total.mean('stable_rank'))}"])


def _span(values: "NDArray[Any]") -> str:
    if not values.size:
        return MISSING
    low, high = f"{values.min():.3g}", f"{values.max():.3g}"
    return low if low == high else f"{low} to {high}"


def _row(one: Outlook, choice: str) -> list[str]:
    rate = one.rate
    return [
        f"{one.choice}{' *' * (one.choice == choice)}",
        f"{rate.value:.1f}" if rate else MISSING,
        f"{rate.low:.1f} to {rate.high:.1f}" if rate else MISSING,
        f"{one.parameters:.0f} M",
        f"{one.decoding:.2f}",
        MISSING if one.minutes is None else f"{one.minutes:.0f}",
    ]


def _plain(rate: Rate) -> dict[str, float | None]:
    """Return a rate as JSON has it; null where an end is not known."""
    return {
        name: round(float(value), 2) if np.isfinite(value) else None
        for name, value in rate._asdict().items()
    }

"""What a table over seeds shows, and what it compares."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from espnet_merge.errors import InputError
from espnet_merge.report.runs import Runs, walk


class Column(NamedTuple):
    """A set, or the mean over sets of one metric."""

    name: str
    metric: str
    sets: Sequence[str]

    @property
    def head(self) -> str:
        """What stands above it."""
        return f"{self.name} ({self.metric})"


@dataclass(frozen=True, kw_only=True)
class SeedPlan:
    """What a table over seeds shows, and what it compares.

    Attributes:
        sets: columns, in their order.
        means: further columns: name -> sets whose mean it shows, seed by seed; one for
            each metric among them.
        base: the system that nothing was trained for, whatever the seed.
        baseline: systems of which the best is what all others are compared with.
        merges: systems that are compared with the best of them, too.
    """

    sets: Sequence[str] = ()
    means: Mapping[str, Sequence[str]] = field(default_factory=dict)
    base: str | None = None
    baseline: Sequence[str] = ()
    merges: Sequence[str] = ()

    @classmethod
    def joined(cls, plans: Sequence[Self]) -> Self:
        """Return one plan of several: each name once, in their order.

        Raises:
            InputError: two say different things of one mean, or of the base.
        """
        means: dict[str, Sequence[str]] = {}
        for plan in plans:
            for name, sets in plan.means.items():
                if means.setdefault(name, sets) != sets:
                    raise InputError(
                        f"files to join must have the same sets in mean {name}; it is "
                        f"of {', '.join(means[name])} and of {', '.join(sets)}: say "
                        "which by --mean."
                    )
        if len(bases := {plan.base for plan in plans}) > 1:
            raise InputError(
                f"files to join must have one base; they have {_and(bases)}: say which "
                "by --base."
            )
        lists = {
            name: list(dict.fromkeys(x for plan in plans for x in getattr(plan, name)))
            for name in ("sets", "baseline", "merges")
        }
        return cls(means=means, base=bases.pop(), **lists)

    def check(self, runs: Runs) -> None:
        """Raise ``InputError`` unless it is about the systems and sets that there are.

        Args:
            runs: that there are.
        """
        sets = {name for _, name, _ in walk(runs)}
        for name in [*self.sets, *(x for own in self.means.values() for x in own)]:
            if name not in sets:
                raise InputError(
                    f"{name}: some system must have scores of it; none has: score it, "
                    "or leave it out."
                )
        for name in self.means:
            if name in sets:
                raise InputError(
                    "--mean must be NAME=SET,SET with a name that is no set; got "
                    f"{name!r}."
                )
        named = {"base": [self.base] if self.base is not None else []}
        named |= {"baseline": [*self.baseline], "merges": [*self.merges]}
        for option, systems in named.items():
            for system in systems:
                if system not in runs:
                    raise InputError(
                        f"--{option} must be of the systems, which are "
                        f"{', '.join(runs)}; got {system!r}."
                    )

    @property
    def members(self) -> dict[str, Sequence[str]]:
        """The sets and then the means: name -> sets."""
        return {**{name: [name] for name in self.sets}, **self.means}

    def columns(self, runs: Runs) -> list[Column]:
        """Return the columns, one for each metric, as two have no mean."""
        metrics = {name: run.metric for _, name, run in walk(runs)}
        found = []
        for name, members in self.members.items():
            for metric in dict.fromkeys(metrics[member] for member in members):
                own = [member for member in members if metrics[member] == metric]
                found.append(Column(name, metric, own))
        return found


def _and(names: Iterable[str | None]) -> str:
    return " and ".join(sorted(name or "none" for name in names))

"""What a report covers: which systems, which sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from espnet_merge.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a report covers: systems by their kind, sets by their group.

    A group is what an expert is an expert of: a language, a domain, a dialect, a task.

    Args:
        base: the system that nothing was trained for.
        experts: group and system; the first of a group is the yardstick of its sets.
        joint: systems trained on all groups together.
        merges: systems merged from experts.
        sets: names that begin with the language: ``es_test``.
        groups: group -> its sets, in which its experts are at home; a set may belong
            to none, and shows what was forgotten.

    Raises:
        InputError: a name twice, an unknown set or group, or a set in two groups.
    """

    base: str
    experts: Sequence[tuple[str, str]]
    joint: Sequence[str]
    merges: Sequence[str]
    sets: Sequence[str]
    groups: Mapping[str, Sequence[str]]

    def __post_init__(self) -> None:
        names = [self.base, *(name for _, name in self.experts)]
        _check_unique("system", [*names, *self.joint, *self.merges])
        _check_unique("set", self.sets)
        owner: dict[str, str] = {}
        for group, members in self.groups.items():
            for name in members:
                if name not in self.sets:
                    raise InputError(
                        f"a group has sets of --sets; {name} of {group} is none of "
                        f"them, which are {', '.join(self.sets)}."
                    )
                if name in owner:
                    raise InputError(
                        f"a set belongs to one group, once; {name} is named of "
                        f"{owner[name]} and of {group}."
                    )
                owner[name] = group
        for group, name in self.experts:
            if group not in self.groups:
                raise InputError(
                    f"the group of an expert must be named by --group; {name} is of "
                    f"{group!r}: add --group {group}=SET,SET."
                )

    @cached_property
    def kinds(self) -> dict[str, str]:
        """System -> kind, in the order of the tables."""
        return {
            self.base: "zero-shot",
            **{name: f"expert {group}" for group, name in self.experts},
            **dict.fromkeys(self.joint, "joint"),
            **dict.fromkeys(self.merges, "merge"),
        }

    @cached_property
    def averages(self) -> dict[str, list[str]]:
        """``trained`` and ``untrained`` -> sets; what has no sets is left out.

        Trained are the sets of a group.
        """
        columns = {
            "trained": [name for name in self.sets if self.group_of(name) is not None],
            "untrained": [name for name in self.sets if self.group_of(name) is None],
        }
        return {column: sets for column, sets in columns.items() if sets}

    def group_of(self, name: str) -> str | None:
        """Return the group that a set belongs to."""
        return next((g for g, members in self.groups.items() if name in members), None)

    def expert_for(self, name: str) -> str | None:
        """Return the first expert of the set's own group."""
        group = self.group_of(name)
        return next((n for own, n in self.experts if own == group), None)

    def only(self, sets: Sequence[str]) -> Self:
        """Return the same of some of the sets."""
        groups = {
            group: [name for name in members if name in sets]
            for group, members in self.groups.items()
        }
        return replace(self, sets=sets, groups=groups)


def language_of(name: str) -> str:
    """Return the language that a set's name begins with.

    >>> language_of("es_test")
    'es'
    """
    return name.partition("_")[0]


def _check_unique(what: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"a {what} is named once; {name} is named again.")

"""The systems and sets that a report covers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from espnet_merge.errors import InputError

# Means over sets, by the names of their columns.
IN_DOMAIN, OUT_OF_DOMAIN, FULL, OTHER = "in-domain", "out-of-domain", "full", "other"
# Of a recipe: the system that gives each set the expert of its own group. Who does not
# know the group of what is spoken cannot have it.
ORACLE = "routed"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The systems of a report by their kind, and its sets by their group.

    A group is what experts are trained for: a language, a domain, a dialect or a task.

    Args:
        base: the untrained model's system.
        experts: group and system of each expert; the sets of a group are compared with
            the group's first expert.
        joint: systems trained on all groups together.
        merges: systems merged from experts.
        routed: systems that route between experts; the others of them are compared with
            the first.
        sets: names of test sets, which begin with the language: ``es_test``.
        groups: group -> test sets of what its experts are trained for. Sets without a
            group show what was forgotten.

    Raises:
        InputError: a name occurs twice, a set or group is unknown, or a set is in two
            groups.
    """

    base: str
    experts: Sequence[tuple[str, str]]
    joint: Sequence[str]
    merges: Sequence[str]
    sets: Sequence[str]
    groups: Mapping[str, Sequence[str]]
    routed: Sequence[str] = ()

    def __post_init__(self) -> None:
        names = [self.base, *(name for _, name in self.experts)]
        _check_unique("system", [*names, *self.joint, *self.merges, *self.routed])
        _check_unique("set", self.sets)
        owner: dict[str, str] = {}
        for group, members in self.groups.items():
            for name in members:
                if name not in self.sets:
                    raise InputError(
                        f"the sets of a group must be in --sets; {name} of {group} is "
                        f"none of them, which are {', '.join(self.sets)}."
                    )
                if name in owner:
                    raise InputError(
                        f"a set must belong to one group, once; {name} is named of "
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
            **dict.fromkeys(self.routed, "routed"),
        }

    @cached_property
    def averages(self) -> dict[str, list[str]]:
        """Column with a mean -> its sets, as ``averages`` returns them."""
        return averages(self.sets, self.groups)

    def group_of(self, name: str) -> str | None:
        """Return the group of a set, or None."""
        return next((g for g, members in self.groups.items() if name in members), None)

    def expert_for(self, name: str) -> str | None:
        """Return the first expert of the set's group, or None."""
        group = self.group_of(name)
        return next((expert for g, expert in self.experts if g == group), None)

    def only(self, sets: Sequence[str]) -> Self:
        """Return the same plan, restricted to some sets."""
        groups = {
            group: [name for name in members if name in sets]
            for group, members in self.groups.items()
        }
        return replace(self, sets=sets, groups=groups)


def averages(
    sets: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Return the columns with means over sets.

    Args:
        sets: names of test sets, which begin with the language.
        groups: group -> its test sets.

    Returns:
        ``in-domain`` -> sets with a group; ``out-of-domain`` -> other sets of their
        languages; ``full`` -> both, where there are both; ``other`` -> the rest. Those
        without sets are left out.

    >>> averages(["es_test", "es_tv", "en_test"], {"es": ["es_test"]})["other"]
    ['en_test']
    """
    grouped = {name for members in groups.values() for name in members}
    languages = {language_of(name) for name in grouped}
    seen = [name for name in sets if name in grouped]
    unseen = [name for name in sets if name not in grouped]
    near = [name for name in unseen if language_of(name) in languages]
    columns = {
        IN_DOMAIN: seen,
        OUT_OF_DOMAIN: near,
        FULL: [*seen, *near] if near else [],
        OTHER: [name for name in unseen if name not in near],
    }
    return {column: members for column, members in columns.items() if members}


def language_of(name: str) -> str:
    """Return the language that a set's name begins with.

    >>> language_of("es_test")
    'es'
    """
    return name.partition("_")[0]


def _check_unique(what: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"a {what} must be named once; {name} is named again.")

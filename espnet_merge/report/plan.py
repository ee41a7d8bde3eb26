"""What a report covers: which systems, which sets."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from espnet_merge.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a report covers: systems by their kind, sets by their language.

    Args:
        base: the system that nothing was trained for.
        experts: language and system; the first of a language is its yardstick.
        joint: systems trained on all languages together.
        merges: systems merged from experts.
        sets: names that begin with the language: ``es_test``.
        trained: languages that the experts were trained on.
        untrained: other languages, to see what was forgotten.

    Raises:
        InputError: a name twice, or a language in no list or in both.
    """

    base: str
    experts: Sequence[tuple[str, str]]
    joint: Sequence[str]
    merges: Sequence[str]
    sets: Sequence[str]
    trained: Sequence[str]
    untrained: Sequence[str]

    def __post_init__(self) -> None:
        names = [self.base, *(name for _, name in self.experts)]
        _check_unique("system", [*names, *self.joint, *self.merges])
        _check_unique("set", self.sets)
        _check_unique("language", [*self.trained, *self.untrained])
        for name in self.sets:
            if language_of(name) not in [*self.trained, *self.untrained]:
                raise InputError(
                    f"the language of a set must be in --trained or --untrained; "
                    f"{name} begins with {language_of(name)!r}: add or rename it."
                )
        for language, name in self.experts:
            if language not in self.trained:
                raise InputError(
                    f"the language of an expert must be in --trained; "
                    f"{name} has {language!r}."
                )

    @cached_property
    def kinds(self) -> dict[str, str]:
        """System -> kind, in the order of the tables."""
        return {
            self.base: "zero-shot",
            **{name: f"expert {language}" for language, name in self.experts},
            **dict.fromkeys(self.joint, "joint"),
            **dict.fromkeys(self.merges, "merge"),
        }

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        """``trained`` and ``untrained`` -> sets; a group without sets is left out."""
        groups = {"trained": self.trained, "untrained": self.untrained}
        members = {
            group: [name for name in self.sets if language_of(name) in languages]
            for group, languages in groups.items()
        }
        return {group: sets for group, sets in members.items() if sets}

    def expert_for(self, name: str) -> str | None:
        """Return the first expert of the set's language."""
        own = [n for language, n in self.experts if language == language_of(name)]
        return own[0] if own else None


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

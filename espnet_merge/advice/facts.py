"""What is known of experts when advice is given: the conditions of rules ask for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from espnet_merge.score.sample import Rate, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

type Choice = Literal[
    "keep the base", "merge all", "merge groups", "route", "train jointly"
]
# Columns of a sample. ``OWN`` is the expert of each set, on its own set.
BASE, OWN, MERGED, GROUPED = "base", "own", "merged", "grouped"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What rules may ask for.

    Args:
        sample: errors of base, own experts and quick merge, and of the merges of groups
            if there are any.
        groups: labels of the experts that go together; all of them where nothing
            speaks against it.
        why_groups: what speaks against one merge, in words; empty where nothing does.
        identified: fraction of the utterances of which the base hears the language;
            None where experts share one, so that it tells nothing.
        adapters: whether all experts are adapters of one base.
    """

    sample: Sample
    groups: Sequence[Sequence[str]] = ()
    why_groups: str = ""
    identified: float | None = None
    adapters: bool = False

    @property
    def gain(self) -> Rate:
        """Percentage points by which experts are better than the base at their own."""
        return self.sample.difference(BASE, OWN)

    @property
    def kept(self) -> Rate:
        """Percentage of the gain that the quick merge keeps."""
        return self.sample.kept(MERGED, BASE, OWN)

    @property
    def harmed(self) -> list[str]:
        """Sets on which the quick merge is significantly worse than the base."""
        return self.sample.harmed(MERGED, BASE)

    @property
    def grouped(self) -> Rate | None:
        """Points by which merges of groups are better than that of all, if tried."""
        if GROUPED not in self.sample.systems:
            return None
        return self.sample.difference(MERGED, GROUPED)

    @property
    def routed(self) -> Rate:
        """Expected rate of a route by language; where it errs, as the base.

        Where languages do not tell, that of a router that never errs.
        """
        right = 1.0 if self.identified is None else self.identified
        return self.sample.mixture({OWN: right, BASE: 1 - right})

    @property
    def over_route(self) -> float:
        """Points by which the quick merge is worse than the route."""
        return self.sample.rate(MERGED).value - self.routed.value


def groups_of(apart: "NDArray[np.bool_]") -> list[list[int]]:
    """Return groups in which no two experts are to be kept apart, few of them.

    Each expert joins the first group that it suits.

    Args:
        apart: (experts, experts), true of two that do not suit each other.

    Example:
        >>> import numpy as np
        >>> groups_of(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], bool))
        [[0, 2], [1]]
    """
    groups: list[list[int]] = []
    for number, row in enumerate(apart):
        suits = (group for group in groups if not row[group].any())
        own = next(suits, None)
        if own is None:
            groups.append(own := [])
        own.append(number)
    return groups

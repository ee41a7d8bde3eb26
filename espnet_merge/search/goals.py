"""What a search is for: one goal or several, the trials that reach most, the knee."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Goal(NamedTuple):
    """A number that is to be small, or large.

    Attributes:
        name: what it is, with its unit.
        maximise: whether it is to be large.
    """

    name: str
    maximise: bool = False


def costs(
    scores: Sequence[Sequence[float]], goals: Sequence[Goal]
) -> "NDArray[np.float64]":
    """Return the scores, (trials, goals), with the sign that makes less better."""
    import numpy as np

    signs = [-1.0 if goal.maximise else 1.0 for goal in goals]
    return np.array(scores, float).reshape(-1, len(goals)) * signs


def front(cost: "NDArray[np.float64]") -> list[int]:
    """Return the rows that no other row is as good as everywhere, and better somewhere.

    Example:
        >>> import numpy as np
        >>> front(np.array([[1.0, 3.0], [2.0, 2.0], [2.0, 3.0], [3.0, 1.0]]))
        [0, 1, 3]
    """
    return [
        number
        for number, row in enumerate(cost)
        if not ((cost <= row).all(1) & (cost < row).any(1)).any()
    ]


def order(cost: "NDArray[np.float64]") -> list[int]:
    """Return all rows, the best first: the nearest to what each goal alone reaches.

    The distance is Euclidean, in units of the front's extent in each goal, so the first
    row is on the front, and at its knee where there are several goals. Of rows that are
    as near the earlier one is better.

    Example:
        >>> import numpy as np
        >>> order(np.array([[0.0, 9.0], [1.0, 1.0], [9.0, 0.0], [9.0, 9.0]]))[0]
        1
    """
    import numpy as np

    best = cost[front(cost)]
    extent = np.ptp(best, 0)
    distances = (cost - best.min(0)) / np.where(extent > 0, extent, 1)
    return [int(row) for row in np.argsort((distances**2).sum(1), kind="stable")]

"""Merges with many settings, each with a name of its own, made in one pass."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from espnet_merge.errors import InputError
from espnet_merge.merging import estimate
from espnet_merge.merging.loop import run
from espnet_merge.merging.merge import Merge
from espnet_merge.merging.planned import warn_of_rounding, warn_of_what_lacks
from espnet_merge.merging.rounding import warn_of_rounded_experts
from espnet_merge.methods import build_method


def settings(
    name: str, params: Mapping[str, Any], grid: Mapping[str, Sequence[Any]]
) -> dict[str, dict[str, Any]]:
    """Return the parameters of each point of the grid, by the name of its result.

    Args:
        name: What the names begin with.
        params: Parameters of all points.
        grid: Parameter to the values that it takes.

    Example:
        >>> settings("ties", {"scale": 1}, {"density": [0.1, 0.2]})
        {'ties-density=0.1': {'scale': 1, 'density': 0.1}, \
'ties-density=0.2': {'scale': 1, 'density': 0.2}}
    """
    points = itertools.product(*grid.values())
    chosen = [dict(zip(grid, point, strict=True)) for point in points]
    return {
        "-".join([name, *(f"{k}={_shown(v)}" for k, v in point.items())]): {
            **params,
            **point,
        }
        for point in chosen
    }


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Merges that are ready to be made in one pass; as text, how many.

    Args:
        merges: they differ in method and output alone.
        output: parent of the results.
        jobs: number of threads, >= 1; the results do not depend on it.
        device: where matrices are decomposed: cpu or cuda.
    """

    merges: Sequence[Merge]
    output: Path
    jobs: int = 1
    device: str = "cpu"

    def __repr__(self) -> str:
        seconds = estimate.seconds(self.merges, self.jobs)
        return f"{len(self.merges)} merges, about {seconds:.0f} s -> {self.output}"

    def run(self) -> list[Path]:
        """Make all of them, or none; return where they are."""
        run(self.merges, self.jobs, self.device)
        # Not before: bad input is one line.
        warn_of_what_lacks(self.merges[0])
        warn_of_rounding(self.merges[0].dtype)
        warn_of_rounded_experts(self.merges[0])
        return [merge.output for merge in self.merges]


def merges_of(
    starts: Iterable[tuple[str, str, Mapping[str, Any]]],
    common: Mapping[str, Any],
    grid: Mapping[str, Sequence[Any]],
    output: Path,
    **others: Any,  # noqa: ANN401
) -> list[Merge]:
    """Return a merge for each point of the grid of each start, all checked.

    Args:
        starts: name of the results, method, and parameters.
        common: parameters of all.
        grid: parameter to the values that it takes.
        output: parent of the results.
        others: what ``Merge`` takes beside method and output.

    Raises:
        InputError: two results have one name, or a merge is not possible.
    """
    merges: dict[str, Merge] = {}
    for start, method, params in starts:
        for label, values in settings(start, {**params, **common}, grid).items():
            if label in merges:
                raise InputError(f"{label}: two settings of one name; rename a file.")
            merges[label] = Merge(
                method=build_method(method, values), output=output / label, **others
            )
    return list(merges.values())


def _shown(value: object) -> str:
    """Return ``value`` as part of the name of a directory."""
    return str(value).replace(" ", "").replace("/", "_")

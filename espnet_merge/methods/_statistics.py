"""What methods have in common that weight experts by statistics of their data."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from espnet_merge.checkpoint.statistics import Statistics, open_statistics
from espnet_merge.errors import InputError
from espnet_merge.methods._base import Method, check_finite, expert_weights


@dataclass(frozen=True, kw_only=True)
class StatisticsMethod(Method):
    """A method that reads one directory of statistics an expert.

    Args:
        statistics: The directories, in the order of the experts.
        weights: One weight an expert, no unit, >= 0, not all 0; ones by default.

    Raises:
        InputError: a weight is out of its range.
    """

    # What 'espnet-merge statistics --kind' calls it.
    statistics_kind: ClassVar[str]

    statistics: tuple[str, ...] = ()
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Check the weights."""
        weights = self.weights or (1.0,)
        check_finite("weights", *weights)
        if min(weights) < 0 or not any(weights):
            raise InputError(
                f"weights must be >= 0 and not all 0, got {self.weights}; change them."
            )

    @property
    def files(self) -> tuple[Path, ...]:
        """The statistics, for the provenance."""
        return tuple(file for opened in self.opened for file in opened.tensors.files)

    @cached_property
    def opened(self) -> tuple[Statistics, ...]:
        """The statistics, of which headers have been read."""
        paths = map(Path, self.statistics)
        return tuple(open_statistics(path, self.statistics_kind) for path in paths)

    def normalised_weights(self, count: int) -> tuple[float, ...]:
        """Return the weight of each of ``count`` experts, in sum 1."""
        weights = expert_weights(self.weights, count)
        return tuple(weight / sum(weights) for weight in weights)

    def check_names(self, names: Sequence[str]) -> None:
        """Raise ``InputError`` for statistics of a tensor that the model has not."""
        for statistics in self.opened:
            covered = statistics.facts.get("inputs", statistics.tensors.entries)
            if unknown := sorted(set(covered) - set(names)):
                raise InputError(
                    f"{statistics.path}: statistics of tensor {unknown[0]}, which the"
                    " model has not; collect them of the experts that are merged."
                )

    def check_experts(self, count: int) -> None:
        """Raise ``InputError`` unless each expert has statistics."""
        super().check_experts(count)
        if len(self.statistics) != count:
            raise InputError(
                f"statistics: one directory an expert is needed, got"
                f" {len(self.statistics)} for {count} experts; make them with"
                " 'espnet-merge statistics' and add --set statistics=[DIR,DIR]."
            )

    def check_digests(self, digests: Sequence[str]) -> None:
        """Raise ``InputError`` for statistics of another model than the expert's."""
        for statistics, digest in zip(self.opened, digests, strict=True):
            if statistics.expert != digest:
                raise InputError(
                    f"{statistics.path}: statistics of another model (digest"
                    f" {statistics.expert[:12]}) than the expert at its place"
                    f" ({digest[:12]}); give them in the order of --experts, or collect"
                    " them again."
                )

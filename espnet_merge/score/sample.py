"""Errors of a few systems on a sample, and how sure the rates from it are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from espnet_merge.score.bootstrap import interval, rates_of, resampled_rates
from espnet_merge.score.counts import count
from espnet_merge.score.evaluate import aligned
from espnet_merge.score.utterances import ScoredUtterance, normalized

# Fraction of the resamples outside an interval.
ALPHA = 0.05


class Rate(NamedTuple):
    """An error rate, or a difference or share of some, with its interval.

    Attributes:
        value: in percent, or in percentage points.
        low: lower end of the 95 % interval.
        high: upper end.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1f} [{self.low:.1f}, {self.high:.1f}]"


class Counted(NamedTuple):
    """Errors on one set.

    Attributes:
        tokens: in the reference of each utterance, (utterances,).
        errors: of each utterance and system, (utterances, systems).
    """

    tokens: NDArray[np.int64]
    errors: NDArray[np.int64]


def counted(
    references: Sequence[ScoredUtterance],
    texts: Mapping[str, Mapping[str, str]],
    normalizer: str,
    metric: str,
) -> Counted:
    """Count the errors of some systems on one set.

    Args:
        references: of its utterances.
        texts: system -> text of each utterance, by name.
        normalizer: of the texts.
        metric: wer or cer.
    """
    columns = []
    for own in texts.values():
        scored = [u._replace(hypothesis=own[u.name]) for u in references]
        pairs = aligned(normalized(scored, normalizer), metric)
        columns.append([count(own) for _, own in pairs])
    tokens = [one.reference for one in columns[0]]
    errors = [[one.errors for one in column] for column in columns]
    return Counted(np.array(tokens), np.array(errors).T)


@dataclass(frozen=True)
class Sample:
    """The errors of some systems on some sets.

    Rates are means over the sets. Intervals come of the bootstrap over utterances, the
    same draws for all systems.

    Args:
        systems: their names, in the order of the columns.
        sets: errors on each.
    """

    systems: Sequence[str]
    sets: Mapping[str, Counted]

    def rate(self, system: str) -> Rate:
        """Return the error rate of a system, in percent."""
        return self._summed(self._weights({system: 1}))

    def difference(self, system: str, other: str) -> Rate:
        """Return by how many percentage points a system is worse than another."""
        return self._summed(self._weights({system: 1, other: -1}))

    def mixture(self, shares: Mapping[str, float]) -> Rate:
        """Return the rate where each system decodes a share of the utterances."""
        return self._summed(self._weights(shares))

    def kept(self, system: str, base: str, best: str) -> Rate:
        """Return the share, in percent, of the way from base to best that a system is.

        The interval has no ends where the way may be none.
        """
        gain, own = (
            self._weights({base: 1, name: -1}) @ self._both.T for name in (best, system)
        )
        shares = 100 * np.divide(
            own, gain, out=np.full_like(own, np.nan), where=gain != 0
        )
        if (gain[1:] <= 0).mean() > ALPHA / 2:
            return Rate(float(shares[0]), -np.inf, np.inf)
        found = interval(shares[1:][np.isfinite(shares[1:])], ALPHA)
        return Rate(float(shares[0]), found.low, found.high)

    def harmed(self, system: str, base: str) -> list[str]:
        """Return the sets on which a system is significantly worse than the base."""
        columns = [self.systems.index(name) for name in (system, base)]
        found = []
        for name, resampled in self._resampled.items():
            differences = resampled[:, columns[0]] - resampled[:, columns[1]]
            if interval(differences, ALPHA).low > 0:
                found.append(name)
        return found

    def _weights(self, shares: Mapping[str, float]) -> NDArray[np.float64]:
        return np.array([shares.get(name, 0) for name in self.systems], float)

    def _summed(self, weights: NDArray[np.float64]) -> Rate:
        values = self._both @ weights
        found = interval(values[1:], ALPHA)
        return Rate(float(values[0]), found.low, found.high)

    @cached_property
    def _resampled(self) -> dict[str, NDArray[np.float64]]:
        return {
            name: resampled_rates(one.errors, one.tokens, seed=[0, number])
            for number, (name, one) in enumerate(self.sets.items())
        }

    @cached_property
    def _both(self) -> NDArray[np.float64]:
        """Mean rates, (1 + resamples, systems): those of the sample come first."""
        rates = [rates_of(one.errors, one.tokens) for one in self.sets.values()]
        resampled = np.mean([*self._resampled.values()], axis=0)
        return np.concatenate([np.mean(rates, axis=0)[None], resampled])

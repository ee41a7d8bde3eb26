"""How much of an expert's skill a system has, in two readings, and means."""

from collections.abc import Sequence


def relative(system: float | None, expert: float | None) -> float | None:
    r"""Return the system's error rate relative to the expert's, 1 being as good.

    .. math:: p = e_{\mathrm{expert}} / e_{\mathrm{system}}

    None where a rate is missing, or only the system is without error.

    >>> relative(system=20.0, expert=10.0)
    0.5
    """
    if system is None or expert is None:
        return None
    if system == 0:
        return 1.0 if expert == 0 else None
    return expert / system


def gap_closed(
    system: float | None, expert: float | None, base: float | None
) -> float | None:
    r"""Return the share of the way from base to expert that the system has gone.

    .. math:: p = (e_{\mathrm{base}} - e_{\mathrm{system}})
              / (e_{\mathrm{base}} - e_{\mathrm{expert}})

    Negative where the system is worse than the base. None where a rate is missing or
    the expert is not better than the base, so that there is no way to go.

    >>> gap_closed(system=20.0, expert=10.0, base=50.0)
    0.75
    """
    if system is None or expert is None or base is None or expert >= base:
        return None
    return (base - system) / (base - expert)


def difference(system: float | None, base: float | None) -> float | None:
    """Return the error rate added to the base's, in points; negative is better.

    >>> difference(system=20.0, base=50.0)
    -30.0
    """
    return None if system is None or base is None else system - base


def mean(values: Sequence[float | None]) -> float | None:
    """Return the mean, or None if any value is missing: no mean over a part.

    >>> mean([10.0, 20.0]), mean([10.0, None])
    (15.0, None)
    """
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None

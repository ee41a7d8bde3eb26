"""Two measures of a system's performance relative to an expert, and means."""

from collections.abc import Sequence


def relative(system: float | None, expert: float | None) -> float | None:
    r"""Return the expert's error rate over the system's; 1 if both are equally good.

    .. math:: p = e_{\mathrm{expert}} / e_{\mathrm{system}}

    None if a rate is missing, or if the system's rate is 0 and the expert's is not.

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
    r"""Return the fraction of the gap between base and expert that the system closes.

    .. math:: p = (e_{\mathrm{base}} - e_{\mathrm{system}})
              / (e_{\mathrm{base}} - e_{\mathrm{expert}})

    Negative if the system is worse than the base. None if a rate is missing, or if the
    expert is not better than the base, so that there is no gap.

    >>> gap_closed(system=20.0, expert=10.0, base=50.0)
    0.75
    """
    if system is None or expert is None or base is None or expert >= base:
        return None
    return (base - system) / (base - expert)


def difference(system: float | None, base: float | None) -> float | None:
    """Return the system's error rate minus the base's, in points; negative is better.

    >>> difference(system=20.0, base=50.0)
    -30.0
    """
    return None if system is None or base is None else system - base


def mean(values: Sequence[float | None]) -> float | None:
    """Return the mean, or None if any value is missing.

    >>> mean([10.0, 20.0]), mean([10.0, None])
    (15.0, None)
    """
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None

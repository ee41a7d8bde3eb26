"""Both readings of normalised performance, by hand."""

import pytest

from espnet_merge.report.performance import difference, gap_closed, mean, relative


def test_relative_to_the_expert():
    assert relative(system=15.5, expert=8.5) == pytest.approx(0.548, abs=1e-3)
    assert relative(system=8.5, expert=8.5) == 1
    assert relative(system=5.0, expert=10.0) == 2


def test_share_of_the_gap():
    assert gap_closed(system=15.5, expert=8.5, base=35.2) == pytest.approx(19.7 / 26.7)
    assert gap_closed(system=35.2, expert=8.5, base=35.2) == 0
    assert gap_closed(system=40.0, expert=20.0, base=30.0) == -1


def test_what_has_no_value_is_none():
    assert relative(system=0.0, expert=3.0) is None
    assert relative(system=0.0, expert=0.0) == 1
    assert relative(None, 3.0) is relative(3.0, None) is None
    assert gap_closed(system=5.0, expert=9.0, base=9.0) is None
    assert gap_closed(system=5.0, expert=10.0, base=9.0) is None
    assert gap_closed(None, 1.0, 2.0) is gap_closed(1.0, None, 2.0) is None
    assert difference(None, 1.0) is difference(1.0, None) is None
    assert mean([1.0, None]) is mean([]) is None
    assert mean([1.0, 2.0]) == 1.5

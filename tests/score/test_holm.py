import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_merge.errors import InputError
from espnet_merge.score.holm import check_resamples, holm


# By its definition: step up from the least p, never descending.
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_by_its_definition(values):
    expected, least = {}, 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        least = max(least, min(1, (len(values) - rank) * values[index]))
        expected[index] = least
    assert holm(values) == pytest.approx([expected[i] for i in range(len(values))])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((399, 0.05, 20), "resamples must be >= 400 .* in 20 tests; got 399"),
        ((1000, 0.0, 1), r"alpha must lie in \(0, 1\); got 0.0"),
        ((1000, 1.0, 1), r"alpha must lie in \(0, 1\)"),
    ],
)
def test_what_can_find_nothing_is_refused(args, message):
    with pytest.raises(InputError, match=message):
        check_resamples(*args)


def test_just_enough_resamples_can_find_something():
    check_resamples(400, 0.05, 20)
    assert max(holm([1 / 401] * 20)) < 0.05 < max(holm([1 / 400] * 21))

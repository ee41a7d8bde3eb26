"""MAPSSWE against segments worked out by hand and against NIST's sc_stats."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from espnet_merge.score.counts import align
from espnet_merge.score.mapsswe import errors_by_slot, mapsswe
from tests.score import sctk
from tests.score.sctk import needs_sctk


def test(references, ones, twos):
    """Test the second system's hypotheses against the first's."""
    sides = [
        [
            errors_by_slot(align(*pair, "wer"))
            for pair in zip(references, texts, strict=True)
        ]
        for texts in (ones, twos)
    ]
    a, b = (np.array([slot for slots in side for slot in slots]) for side in sides)
    return mapsswe(a, b, np.array([len(slots) for slots in sides[0]]))


test.__test__ = False


def test_segments_by_hand():
    # Errors:   a: b g;  b: f and an insertion at the end. Between b and f stand c d e,
    # right in both: two segments. Between f and g stands nothing, between g and the
    # insertion h alone: one segment. In the second utterance a errs once.
    found = test(
        ["a b c d e f g h", "a b"],
        ["a x c d e f y h", "a x"],
        ["a b c d e z g h i", "a b"],
    )
    # b less a: -1, then 2 - 1, then -1.
    assert (found.segments, found.mean) == (3, pytest.approx(-1 / 3))
    # s = sqrt(4/3), s / sqrt(3) = 2/3.
    assert found.z == pytest.approx(-0.5)
    assert found.p == pytest.approx(0.6170751)


@pytest.mark.parametrize(
    ("one", "segments"),
    [
        ("x b c d e", 1),
        ("x b x d e", 1),  # one word between: not enough
        ("x b c x e", 2),  # two are
        ("x b c d y e", 2),
        ("a b y c d z e", 2),
        ("a b y c z d e", 1),
        ("a b c d e y", 1),
        ("", 1),
    ],
)
def test_two_right_words_part_segments(one, segments):
    assert test(["a b c d e"], [one], ["a b c d e"]).segments == segments


def test_utterances_part_segments():
    assert test(["a", "b"], ["x", "y"], ["a", "b"]).segments == 2
    assert test(["", "b"], ["x", "y"], ["", "b"]).segments == 2


def test_differences_that_are_all_the_same():
    # s is 0: the exact p by permutation of ten signs, 2 / 2**10.
    found = test(["a"] * 10, ["a"] * 10, ["b"] * 10)
    assert found == (10, 1, math.inf, 2 / 1024)
    assert test(["a"], ["a"], ["b"]).p == 1
    assert test(["a"] * 10, ["c"] * 10, ["b"] * 10) == (10, 0, 0, 1)
    assert test(["a"], ["a"], ["a"]) == (0, 0, 0, 1)


# Words of one utterance are all different and right on both sides of an edit, so that
# there is one best alignment, whatever an error costs.
@st.composite
def utterances(draw):
    sides = reference, one, two = [], [], []
    for position in range(draw(st.integers(1, 6))):
        for part in range(draw(st.integers(1, 3))):
            for side in sides:
                side.append(f"w{position}.{part}")
        reference.append(f"r{position}")
        for number, side in enumerate((one, two)):
            edit = draw(st.sampled_from(["none", "none", "sub", "del"]))
            side += {"none": [f"r{position}"], "del": []}.get(
                edit, [f"s{number}.{position}"]
            )
    for side in sides:
        side.append("end")
    return tuple(map(" ".join, sides))


SETS = st.lists(utterances(), min_size=1, max_size=20).map(
    lambda rows: tuple(zip(*rows, strict=True))
)


@settings(deadline=None)
@given(SETS)
def test_antisymmetric_and_blind_to_order(texts):
    there = test(*texts)
    references, one, two = texts
    back = test(references, two, one)
    assert (back.segments, back.mean, back.z, back.p) == pytest.approx(
        (there.segments, -there.mean, -there.z, there.p)
    )
    turned = test(*(side[::-1] for side in texts))
    assert turned == pytest.approx(there)
    assert test(references, one, one).p == 1


@needs_sctk
@settings(max_examples=20, deadline=None)
@given(texts=SETS)
def test_is_that_of_sc_stats(texts):
    ours = test(*texts)
    assume(ours.segments)  # without one sc_stats crashes
    compare(ours, sctk.sc_stats(texts))


@pytest.mark.parametrize("seed", range(len(sctk.SHARES)))
def test_is_what_sc_stats_printed(seed):
    ours = test(*sctk.systems(seed, sctk.SHARES[seed]))
    theirs = sctk.kept()["mapsswe"][seed]
    compare(ours, theirs)
    # It finds p in a table of 0.430, 0.250, 0.052 …
    assert ours.p == pytest.approx(theirs[3], rel=0.02, abs=1e-3)


def compare(ours, theirs):
    """Compare with numbers of three digits, the first system less the second."""
    segments, mean, z, _ = theirs
    assert ours.segments == segments
    assert ours.mean == pytest.approx(-mean, abs=6e-4)
    if math.isfinite(ours.z):
        assert ours.z == pytest.approx(-z, abs=6e-4)

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_merge.score.signs import has_loop, is_too_long


@pytest.mark.parametrize(
    ("text", "looping"),
    [
        ("", False),
        ("a a a", False),
        ("a a a a", True),
        ("a b a b a b a", False),
        ("x a b a b a b a b y", True),
        ("a b c d e f g h", False),
        ("a a b a a b a a b", False),
        ("a a b a a b a a b a a b", True),
    ],
)
def test_loops_by_hand(text, looping):
    assert has_loop(text.split()) is looping


@settings(deadline=None)
@given(st.lists(st.sampled_from("ab"), max_size=24))
def test_loops_against_brute_force(tokens):
    found = any(
        tokens[start : start + 4 * n] == 4 * tokens[start : start + n]
        for n in range(1, len(tokens) // 4 + 1)
        for start in range(len(tokens) - 4 * n + 1)
    )
    assert has_loop(tokens) is found


def test_length_counts_only_where_a_ratio_says_something():
    assert not is_too_long("no", "nunca jamás")
    assert not is_too_long("twelve chars", "twice twelve characters.")
    assert is_too_long("twelve chars", "more than twice the characters")
    assert is_too_long("", "twenty-one characters")

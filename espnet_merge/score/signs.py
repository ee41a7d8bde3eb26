"""Signs of hallucination: loops, and hypotheses that are far too long."""

from collections.abc import Sequence

LOOP_REPEATS = 4
LENGTH_RATIO = 2.0
# For shorter references the ratio of lengths says nothing: "no" for "nunca".
SHORTEST = 10


def has_loop(tokens: Sequence[str], repeats: int = LOOP_REPEATS) -> bool:
    """Return whether a sequence of tokens occurs ``repeats`` times in a row.

    >>> has_loop("so it goes it goes it goes it goes".split())
    True
    >>> has_loop("no no no".split())
    False
    """
    for period in range(1, len(tokens) // repeats + 1):
        run = 0
        for left, right in zip(tokens, tokens[period:], strict=False):
            run = run + 1 if left == right else 0
            if run == period * (repeats - 1):
                return True
    return False


def is_too_long(reference: str, hypothesis: str) -> bool:
    """Return whether the hypothesis has over twice as many characters.

    >>> is_too_long("the cat sat", "the cat sat and sat and sat and sat")
    True
    """
    return len(hypothesis) > LENGTH_RATIO * max(len(reference), SHORTEST)

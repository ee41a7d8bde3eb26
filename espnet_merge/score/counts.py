"""Alignments of words or characters, and the counts of errors in them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from operator import eq

# A reference token and the hypothesis token aligned with it; None where one is missing.
Pair = tuple[str | None, str | None]

_SPLIT: Mapping[str, Callable[[str], Sequence[str]]] = {
    "wer": lambda text: [word for word in text.split(" ") if word],
    "cer": list,
}


@dataclass(frozen=True)
class Counts:
    """Errors of a set of utterances. Sums are corpus totals, not means of rates."""

    correct: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    sentences: int = 0
    wrong_sentences: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        mine, theirs = vars(self), vars(other)
        return Counts(**{name: mine[name] + theirs[name] for name in mine})

    @property
    def reference(self) -> int:
        """Tokens in the reference."""
        return self.correct + self.substitutions + self.deletions

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors in percent of the reference's tokens; above 100 is possible."""
        return 100 * self.errors / self.reference


def align(reference: str, hypothesis: str, metric: str) -> list[Pair]:
    """Return the alignment with the fewest errors, token by token.

    ``metric`` is ``wer`` for words between spaces, or ``cer`` for characters, of which
    a space is one. All three kinds of error cost 1, as in the definition of both rates.
    sclite's weights (4, 3, 3) can count one error more where nearly nothing matches.

    >>> align("a b c", "a x", "wer")
    [('a', 'a'), ('b', 'x'), ('c', None)]
    """
    from rapidfuzz.distance import Levenshtein

    split = _SPLIT[metric]
    ours, theirs = split(reference), split(hypothesis)
    pairs: list[Pair] = []
    for step in Levenshtein.opcodes(ours, theirs):
        left = ours[step.src_start : step.src_end]
        right = theirs[step.dest_start : step.dest_end]
        # One of them is empty where tokens are inserted or deleted.
        pairs += zip_longest(left, right)
    return pairs


def count(pairs: Sequence[Pair]) -> Counts:
    """Count the errors of one utterance's alignment.

    >>> count([("a", "a"), ("b", "x"), ("c", None)]).errors
    2
    """
    references, hypotheses = zip(*pairs, strict=True) if pairs else ((), ())
    deletions, insertions = hypotheses.count(None), references.count(None)
    correct = sum(map(eq, references, hypotheses))
    return Counts(
        correct=correct,
        substitutions=len(pairs) - correct - deletions - insertions,
        deletions=deletions,
        insertions=insertions,
        sentences=1,
        wrong_sentences=int(correct < len(pairs)),
    )

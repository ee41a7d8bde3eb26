"""Compare systems in pairs on several sets, and test what differs."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from espnet_merge.errors import InputError
from espnet_merge.score import tables
from espnet_merge.score.compare import (
    Difference,
    difference,
    differences,
    with_mapsswe,
)
from espnet_merge.score.design import Design, Texts
from espnet_merge.score.evaluate import CORPUS_SCORES
from espnet_merge.score.holm import check_resamples
from espnet_merge.score.parts import read_parts
from espnet_merge.score.translation import read_translations, score_differences


@dataclass(frozen=True)
class Pair:
    """Two systems, and their differences on each part and in the mean."""

    a: Path
    b: Path
    rows: Sequence[Difference]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was compared; as text, a table for each pair.

    Attributes:
        pairs: of systems.
        tests: that Holm's correction is over, in each pair.
        explained: what the numbers are.
        texts: what was compared.
        design: how it was tested.
    """

    pairs: Sequence[Pair]
    tests: int
    explained: str
    texts: Texts
    design: Design

    def record(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        return {
            "normalizer": self.texts.normalizer,
            "unit": self.texts.unit,
            "design": asdict(self.design),
            "comparisons": [
                {
                    "a": str(pair.a),
                    "b": str(pair.b),
                    "sets": [asdict(row) for row in pair.rows],
                }
                for pair in self.pairs
            ],
        }

    def __repr__(self) -> str:
        alpha = self.design.alpha
        lines = []
        for pair in self.pairs:
            lines += [f"a: {pair.a}", f"b: {pair.b}"]
            lines += [*tables.differences(pair.rows, alpha), ""]
        lines += [
            self.explained,
            f"Interval: bootstrap over {self.texts.unit}s, {100 * (1 - alpha):g} %."
            f" *: p < {alpha:g}, by Holm's correction",
            f"over the {self.tests} lines of a pair; the mean is a test of its own.",
        ]
        return "\n".join(lines)


class _Tested(NamedTuple):
    tests: int
    rows: Callable[[int, int], list[Difference]]  # of the systems in two columns
    explained: str


def compare(
    texts: Texts,
    systems: Sequence[Path],
    design: Design,
    baseline: Path | None = None,
) -> Comparison:
    """Compare each two systems, or each with the baseline.

    Args:
        texts: what is compared.
        systems: directories with the hypotheses of every set.
        design: how to test.
        baseline: another such directory.

    Raises:
        InputError: there is one system alone, hypotheses are missing or do not fit, or
            the resamples are too few for the tests.
    """
    everyone = [baseline, *systems] if baseline else systems
    if len(everyone) < 2:
        raise InputError("--hyp takes two systems or more, or one beside --baseline.")
    test = _scores if texts.metric in CORPUS_SCORES else _rates
    tested = test(texts, everyone, design)
    # Those of the first system come first.
    pairs = list(combinations(range(len(everyone)), 2))
    return Comparison(
        pairs=[
            Pair(everyone[a], everyone[b], tested.rows(a, b))
            for a, b in (pairs[: len(systems)] if baseline else pairs)
        ],
        tests=tested.tests,
        explained=tested.explained,
        texts=texts,
        design=design,
    )


def _rates(texts: Texts, systems: Sequence[Path], design: Design) -> _Tested:
    """Test error rates: every part, and the mean of several."""
    parts = texts.read(read_parts, systems)
    check_resamples(design.resamples, design.alpha, len(parts))
    drawn = [design.draw(part) for part in parts]
    rated = [i for i, part in enumerate(parts) if part.metric != "language"]
    averaged = [parts[i] for i in rated], [drawn[i] for i in rated]

    def rows(a: int, b: int) -> list[Difference]:
        found = with_mapsswe(differences(parts, drawn, a, b, design), parts, a, b)
        mean = [difference(*averaged, a, b, design)] if len(rated) > 1 else []
        return found + mean

    return _Tested(
        len(parts),
        rows,
        f"Error rates in percent, normalizer {texts.normalizer}. "
        f"p: permutation of {texts.unit}s, and MAPSSWE.",
    )


def _scores(texts: Texts, systems: Sequence[Path], design: Design) -> _Tested:
    """Test BLEU or chrF."""
    parts = texts.read(read_translations, systems)
    check_resamples(design.resamples, design.alpha, len(parts))
    drawn = [
        part.resampled(design.resamples, design.seeds(part.name, part.metric))
        for part in parts
    ]
    signatures = dict.fromkeys(str(part.scorer.get_signature()) for part in parts)
    return _Tested(
        len(parts),
        lambda a, b: score_differences(parts, drawn, a, b, design),
        f"{texts.metric}, more is better, normalizer {texts.normalizer}; sacreBLEU's "
        f"{', '.join(signatures)}.\n"
        f"p: permutation of {texts.unit}s, and paired bootstrap.",
    )

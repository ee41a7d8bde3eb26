"""Whether a candidate is significantly worse than a baseline anywhere."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from espnet_merge.errors import InputError
from espnet_merge.score import tables
from espnet_merge.score.compare import Difference, differences
from espnet_merge.score.design import Design, Texts
from espnet_merge.score.holm import check_resamples
from espnet_merge.score.parts import read_parts


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was tested; as text, every test and a line for each fall.

    Attributes:
        baseline: directory of the system that is there.
        candidate: directory of the one that may replace it.
        rows: every test.
        untested: sets that the baseline has hypotheses of and the tests have not.
        texts: what was compared.
        design: how it was tested.
    """

    baseline: Path
    candidate: Path
    rows: Sequence[Difference]
    untested: Sequence[str]
    texts: Texts
    design: Design

    @property
    def fallen(self) -> list[Difference]:
        """The tests in which the candidate is worse."""
        return [row for row in self.rows if row.p < self.design.alpha]

    def __repr__(self) -> str:
        design, count = self.design, len(self.rows)
        lines = [
            f"a: {self.baseline}",
            f"b: {self.candidate}",
            *tables.differences(self.rows, design.alpha),
            f"fallen: error rate up by more than {design.margin:g} points, "
            f"p < {design.alpha:g} by permutation of {self.texts.unit}s (one side, "
            f"Holm over {count} tests, normalizer {self.texts.normalizer})",
        ]
        if self.untested:
            names = ", ".join(self.untested)
            lines.append(f"not tested, as --ref does not name them: {names}")
        lines += [
            f"FALLEN {row.name} {row.metric}: {row.a:.2f} -> {row.b:.2f}, "
            f"{row.points:+.2f} points [{row.low:+z.2f}, {row.high:+z.2f}], "
            f"p {row.p:.4f}"
            for row in self.fallen
        ]
        if not self.fallen:
            worst = max(self.rows, key=lambda row: row.high)
            lines.append(
                f"passed: nothing has fallen in {count} tests; the most that an "
                f"interval leaves open is {worst.high:+z.2f} points, {worst.name} "
                f"{worst.metric}"
            )
        return "\n".join(lines)


def judge(texts: Texts, baseline: Path, candidate: Path, design: Design) -> Verdict:
    """Test on one side whether the candidate is worse on a part of a set.

    Args:
        texts: what is compared, by an error rate.
        baseline: directory with the hypotheses of every set.
        candidate: directory with the same.
        design: how to test, with the rise that is allowed, ``margin``.

    Raises:
        InputError: the margin is negative, hypotheses are missing or do not fit, or the
            resamples are too few for the tests.
    """
    if not (math.isfinite(design.margin) and design.margin >= 0):
        raise InputError(
            f"--margin must be >= 0, in points of the error rate; got {design.margin}."
        )
    parts = texts.read(read_parts, [baseline, candidate])
    check_resamples(design.resamples, design.alpha, len(parts))
    design = replace(design, sides=1)
    drawn = [design.draw(part) for part in parts]
    tested = {part.name.partition("/")[0] for part in parts}
    decoded = {path.parent.name for path in baseline.glob("*/text")}
    return Verdict(
        baseline=baseline,
        candidate=candidate,
        rows=differences(parts, drawn, 0, 1, design),
        untested=sorted(decoded - tested),
        texts=texts,
        design=design,
    )

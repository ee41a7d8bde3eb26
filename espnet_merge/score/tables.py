"""Scores and differences as lines in columns."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet_merge.score.compare import Difference
from espnet_merge.score.evaluate import ERROR_RATES, headline
from espnet_merge.score.identification import describe_row

type Score = Mapping[str, Any]

COLUMNS = (
    *("set", "metric", "units", "a", "b", "b - a", "interval"),
    *("p", "p MAPSSWE", "p bootstrap"),
)


def scores(scored: Mapping[Path, Score], baseline: Score | None) -> Iterator[str]:
    """Yield a line for each metric of each directory.

    Args:
        scored: directory -> what its ``score.json`` holds.
        baseline: of another system on the same set, whose numbers are subtracted.
    """
    yield (
        f"{'metric':7}{'text':11}{'score':>7}{'Snt':>7}{'Wrd':>8}{'Corr':>7}"
        f"{'Sub':>7}{'Del':>7}{'Ins':>7}" + ("   - baseline" if baseline else "")
    )
    for path, score in scored.items():
        yield f"{path}: {score['loops']} with loops, {score['too_long']} too long"
        if lost := score["not_decoded"]:
            why = ", ".join(f"{count} {defect}" for defect, count in lost.items())
            yield f"not decoded, and counted as deleted: {why}"
        for spoken, row in score.get("identification", {}).items():
            yield describe_row(spoken, row)
        for spoken, row in score.get("routes", {}).items():
            yield describe_row(spoken, row, "is decoded by")
        for metric, readings in score["metrics"].items():
            for reading, values in readings.items():
                text = score["normalizer"] if reading == "normalized" else reading
                line = f"{metric:7}{text:11}{headline(values):7.2f}"
                if metric in ERROR_RATES:
                    line += _counts(values)
                if baseline:
                    before = headline(baseline["metrics"][metric][reading])
                    line = f"{line:61}{headline(values) - before:+13.2f}"
                if signature := values.get("signature"):
                    line += f"   {signature}"
                yield line


def cells(scored: Mapping[Path, Score], baseline: Score | None) -> list[list[str]]:
    """Return rows of text, headings first: the number of each metric and directory.

    Args:
        scored: directory -> what its ``score.json`` holds.
        baseline: of another system on the same set, whose numbers are subtracted.
    """
    rows = [["directory", "metric", "text", "score"]]
    if baseline:
        rows[0].append("less the baseline's")
    for path, score in scored.items():
        for metric, readings in score["metrics"].items():
            for reading, values in readings.items():
                text = score["normalizer"] if reading == "normalized" else reading
                rows.append([str(path), metric, text, f"{headline(values):.2f}"])
                if baseline:
                    before = headline(baseline["metrics"][metric][reading])
                    rows[-1].append(f"{headline(values) - before:+.2f}")
    return rows


def differences(rows: Sequence[Difference], alpha: float) -> Iterator[str]:
    """Yield the rows in columns of equal width, significant ones with a star."""
    lines = zip(*(_cells(row, alpha) for row in rows), strict=True)
    columns = [
        (head, *column)
        for head, column in zip(COLUMNS, lines, strict=True)
        if any(column)
    ]
    widths = [max(map(len, column)) for column in columns]
    for line in zip(*columns, strict=True):
        left = [f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)]
        right = [f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)]
        yield "  ".join([*left[:2], *right[2:]]).rstrip()


def _counts(values: Mapping[str, Any]) -> str:
    return (
        f"{values['sentences']:7}{values['reference']:8}{values['correct']:7}"
        f"{values['substitutions']:7}{values['deletions']:7}{values['insertions']:7}"
    )


def _cells(row: Difference, alpha: float) -> tuple[str, ...]:
    return (
        row.name,
        row.metric,
        str(row.units),
        f"{row.a:.2f}",
        f"{row.b:.2f}",
        f"{row.points:+z.2f}",
        f"[{row.low:+z.2f}, {row.high:+z.2f}]",
        _shown(row.p, alpha),
        _shown(row.p_mapsswe, alpha),
        _shown(row.p_bootstrap, alpha),
    )


def _shown(p: float | None, alpha: float) -> str:
    if p is None:
        return ""
    digits = "<.001" if p < 0.001 else f"{p:.3f}"
    return digits + (" *" if p < alpha else "  ")

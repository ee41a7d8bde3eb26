"""A page that compares runs: systems by runs, and what was configured otherwise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from espnet_merge.disk.atomic import whole_file
from espnet_merge.html import html_table
from espnet_merge.report.page import STYLE
from espnet_merge.report.run_scores import (
    ScoredRun,
    difference,
    metric_of,
    rate,
    read_scored_runs,
    shared_sets,
)
from espnet_merge.report.run_settings import ABSENT, differing

type Table = list[list[str]]
STYLE_OF_RUNS = """
tr > th { font-weight: 600; text-align: right; }
tr > :first-child, #configurations tr > :nth-child(2) { text-align: left; }
"""
HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Runs</title>
"""


@dataclass(frozen=True)
class Comparison:
    """A written comparison; printed, its main table.

    Attributes:
        rates: systems by runs, means over the sets that all runs share.
        page: path of the page.
    """

    rates: Table
    page: Path

    def __repr__(self) -> str:
        widths = [max(map(len, column)) for column in zip(*self.rates, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) for cell, width in zip(row, widths, strict=True)
            )
            for row in self.rates
        ]
        return "\n".join([*(line.rstrip() for line in lines), str(self.page)])


def compare_runs(places: Sequence[Path], output: Path) -> Comparison:
    """Write ``runs.html``.

    Args:
        places: directories of systems that were decoded and scored.
        output: directory of the page.

    Raises:
        InputError: a run has no score, or they were scored with several normalisers.
    """
    runs = read_scored_runs(places)
    shared, other = shared_sets(runs)
    rates = rate_table(runs, shared)
    path = output / "runs.html"
    with whole_file(path) as part:
        part.write_text("\n".join(page(runs, shared, other, rates)) + "\n", "utf-8")
    return Comparison(rates, path)


def rate_table(runs: Sequence[ScoredRun], sets: Sequence[str]) -> Table:
    """Return a row for each system, and a column for each run."""
    systems = dict.fromkeys(system for run in runs for system, _ in run.scores)
    rows = [["system", *(run.name for run in runs)]]
    for system in systems:
        cells = [rate(run, system, sets) if sets else None for run in runs]
        rows.append([system, *(str(cell or ABSENT) for cell in cells)])
    return rows


def difference_table(runs: Sequence[ScoredRun], sets: Sequence[str]) -> Table:
    """Return the same of differences from the first run."""
    first, *others = runs
    rows = [["system", *(run.name for run in others)]]
    for system in dict.fromkeys(system for system, _ in first.scores):
        found = [difference(run, first, system, sets) for run in others]
        rows.append([system, *(_signed(*one) if one else ABSENT for one in found)])
    return rows


def _signed(value: float, low: float, high: float) -> str:
    sure = " †" if low > 0 or high < 0 else ""
    text = f"{value:+.1f} [{low:+.1f}, {high:+.1f}]{sure}"
    return text.replace("-", "−")


def page(
    runs: Sequence[ScoredRun],
    shared: Sequence[str],
    other: Sequence[str],
    rates: Table,
) -> Iterator[str]:
    """Yield the lines of the page."""
    style = f"{STYLE.read_text(encoding='utf-8')}{STYLE_OF_RUNS}"
    yield f"{HEAD}<style>\n{style}</style>\n</head>\n<body>"
    yield "<h1>Runs</h1>"
    yield f"<p>{escape(_summary(runs, shared, other))}</p>"
    if shared:
        yield "<h2>Error rates, means over sets</h2>"
        yield '<p class="caption">In %, with 95 % intervals of the bootstrap over '
        yield "utterances; less is better.</p>"
        yield from html_table(rates)
    if shared and len(runs) > 1:
        yield f"<h2>Differences from {escape(runs[0].name)}</h2>"
        yield '<p class="caption">In points, paired by utterance; †: zero is outside '
        yield "the interval.</p>"
        yield from html_table(difference_table(runs, shared))
    for name in shared if len(shared) > 1 else ():
        yield f"<h2>{escape(name)}, {metric_of(runs[0], name)}</h2>"
        yield from html_table(rate_table(runs, [name]))
    yield '<section id="configurations"><h2>Configurations that differ</h2>'
    rows = list(differing(runs))
    if rows:
        yield from html_table(
            [["option", "systems", *(run.name for run in runs)], *rows]
        )
    else:
        yield "<p>None of systems that all runs have.</p>"
    yield "</section>\n</body>\n</html>"


def _summary(
    runs: Sequence[ScoredRun], shared: Sequence[str], other: Sequence[str]
) -> str:
    said = f"{len(runs)} runs; sets that all have: {', '.join(shared) or 'none'}."
    if other:
        said += f" Of other utterances in some, and left out: {', '.join(other)}."
    return said

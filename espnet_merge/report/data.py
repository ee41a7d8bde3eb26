"""``results.json``: the numbers of a report, with all digits."""

from typing import Any

from espnet_merge.report import translations
from espnet_merge.report.findings import Findings
from espnet_merge.report.results import Grid, Results, by_task
from espnet_merge.report.significance import plain


def data(results: Results, found: Findings) -> dict[str, Any]:
    """Return what is written of one decoding mode.

    Args:
        results: its scores.
        found: what was found in them.
    """
    transcribed, translated = by_task(results)
    grids = {
        "rates": transcribed.rates(),
        "raw": transcribed.rates("raw"),
        "cer": transcribed.rates(metric="cer"),
        "relative": transcribed.relative(),
        "gap_closed": transcribed.gap_closed(),
        "differences": transcribed.differences(),
    }
    scores = {
        metric: named(grid) for metric, grid in translations.grids(translated).items()
    }
    return {
        "metric": transcribed.metric_name,
        "normalizer": results.normalizer,
        "settings": results.settings(),
        "base_settings": results.settings(base=True),
        **{name: named(grid) for name, grid in grids.items()},
        "tests": plain(found.transcribed),
        "translations": {**scores, "tests": plain(found.translated)},
    }


def named(grid: Grid) -> dict[str, dict[str, float | None]]:
    """Return system -> column -> number.

    >>> named(Grid(["es", "it"], {"soup": [25.0, None]}))
    {'soup': {'es': 25.0, 'it': None}}
    """
    return {
        system: dict(zip(grid.columns, row, strict=True))
        for system, row in grid.rows.items()
    }

"""The content of ``results.json``: the numbers of a report, with all digits."""

from typing import Any

from espnet_merge.report import routes, translations
from espnet_merge.report.findings import Findings
from espnet_merge.report.grid import Grid
from espnet_merge.report.results import Results, by_task
from espnet_merge.report.significance import as_json


def data(results: Results, found: Findings) -> dict[str, Any]:
    """Return the content for one decoding mode.

    Args:
        results: scores of the mode.
        found: findings of the mode.
    """
    transcribed, translated = by_task(results)
    grids = {
        "rates": transcribed.rates(),
        "raw": transcribed.rates("raw"),
        "cer": transcribed.rates(metric="cer"),
        "relative": transcribed.relative(),
        "gap_closed": transcribed.gap_closed(),
        "differences": transcribed.differences(),
        "routed_differences": routes.differences(transcribed),
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
        "tests": as_json(found.transcribed),
        "routes": routes.chosen(transcribed),
        "translations": {**scores, "tests": as_json(found.translated)},
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

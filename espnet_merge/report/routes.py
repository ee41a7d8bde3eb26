"""Tables of systems that route between experts: chosen experts, and cost of errors."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from espnet_merge.errors import InputError
from espnet_merge.files import ROUTER_JSON
from espnet_merge.report.grid import Grid
from espnet_merge.report.plan import Plan
from espnet_merge.report.results import Results
from espnet_merge.report.tables import (
    confusion,
    describe_decoding,
    markdown_table,
    section,
)


def markdown(results: Results) -> Iterator[str]:
    """Yield the chosen experts, and the differences to the first routed system."""
    cells = {
        (system, name, spoken): row
        for system, sets in chosen(results).items()
        for name, table in sets.items()
        for spoken, row in table.items()
    }
    yield from confusion(results, cells, "chosen expert")
    grid = differences(results)
    if grid.rows:
        first = results.plan.routed[0]
        title = f"Difference to {first} (points of {results.metric_name})"
        yield from section(
            f"{title}, {describe_decoding(results)}", results, grid, signed=True
        )


def routers(plan: Plan, expdir: Path) -> Iterator[str]:
    """Yield accuracy and confusion of the routers on the validation sets.

    Args:
        plan: systems; those of ``routed`` may have a router.
        expdir: directory of the systems.

    Raises:
        InputError: the record of a router is broken.
    """
    for system in plan.routed:
        path = expdir / system / "router" / ROUTER_JSON
        if not path.is_file():
            continue
        try:
            record = json.loads(path.read_text("utf-8"))
            names, rows = list(record["names"]), record["confusion"]
            cells = [[name, *(str(rows[name][n]) for n in names)] for name in names]
            accuracy = f"{record['accuracy']:.1f}"
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}: must be what 'espnet-merge router' writes; "
                f"{type(error).__name__} {error}: train it anew."
            ) from error
        yield (
            f"The router of {system} has an accuracy of {accuracy} % on the validation "
            "sets. It chooses:"
        )
        yield ""
        yield from markdown_table(["validation set of", *names], cells)


def chosen(results: Results) -> dict[str, dict[str, Any]]:
    """Return system -> set -> spoken language -> expert -> utterances and errors."""
    found: dict[str, dict[str, Any]] = {}
    for (system, name), score in results.scores.items():
        if "routes" in score:
            found.setdefault(system, {})[name] = score["routes"]
    return found


def differences(results: Results) -> Grid:
    """Return the error rates of the other routed systems minus those of the first."""
    first, *others = results.plan.routed or [results.plan.base]
    grid = results.differences(base=first)
    return Grid(grid.columns, {system: grid.rows[system] for system in others})

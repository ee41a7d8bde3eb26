"""A table of numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Grid:
    """A table of numbers: rows are systems, columns are sets and means over sets."""

    columns: Sequence[str]
    rows: Mapping[str, Sequence[float | None]]

    def column(self, name: str) -> dict[str, float]:
        """Return system -> number, for the systems that have one."""
        index = self.columns.index(name)
        cells = {system: row[index] for system, row in self.rows.items()}
        return {system: cell for system, cell in cells.items() if cell is not None}

"""An inspection to look at: tables, warnings, and the files that hold all of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from espnet_merge.disk.atomic import whole_directory
from espnet_merge.files import INSPECT_HTML
from espnet_merge.inspection.advice import advise
from espnet_merge.inspection.inspection import Inspection
from espnet_merge.inspection.page import body, page
from espnet_merge.inspection.record import record
from espnet_merge.inspection.tables import aligned, tables

RECORD = "inspect.json"


@dataclass(frozen=True)
class Summary:
    """What was measured; as text, tables.

    Attributes:
        found: every number.
    """

    found: Inspection

    @cached_property
    def warnings(self) -> list[str]:
        """What speaks against merging these experts, a line each."""
        return advise(self.found)

    @property
    def record(self) -> dict[str, Any]:
        """Every number with its definition, as ``inspect.json`` holds it."""
        return record(self.found)

    def __repr__(self) -> str:
        return "\n\n".join(self._tables())

    def _tables(self) -> Iterator[str]:
        for title, rows in tables(self.found):
            yield "\n".join([f"{title}:", *(f"  {line}" for line in aligned(rows))])

    def _repr_html_(self) -> str:
        return "\n".join(body(self.found))

    def write(self, output: Path, *, overwrite: bool = False) -> None:
        """Write ``inspect.json``, two pictures, and ``inspect.html`` with all of it.

        Args:
            output: directory to write.
            overwrite: whether an older inspection there may be replaced.
        """
        # Seconds, which the tables do without.
        from espnet_merge.inspection.pictures import DPI, draw_experts, draw_layers

        drawn = {"layers": draw_layers, "experts": draw_experts}
        with whole_directory(output, RECORD, overwrite=overwrite) as folder:
            for name, draw in drawn.items():
                draw(self.found).savefig(folder / f"{name}.png", dpi=DPI)
            pictures = {
                "Layer by layer": (folder / "layers.png").read_bytes(),
                "Expert by expert": (folder / "experts.png").read_bytes(),
            }
            html = page(self.found, pictures)
            (folder / INSPECT_HTML).write_text(html, encoding="utf-8")
            text = json.dumps(self.record, indent=1, ensure_ascii=False)
            (folder / RECORD).write_text(f"{text}\n", encoding="utf-8")

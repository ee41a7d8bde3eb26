"""What was learned, to print or to use in Python."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from espnet_merge.search.found import MODEL

# In the directory of what was learned.
LEARNED_JSON = "learned.json"
# The method that takes the weights.
METHOD = "task_arithmetic"


@dataclass(frozen=True)
class Learned:
    """What was learned; printed, the weights of the experts.

    Attributes:
        output: directory of it.
        content: what ``learned.json`` holds.
    """

    output: Path
    content: Mapping[str, Any]

    @property
    def model(self) -> Path:
        """Directory of the merge."""
        return self.output / MODEL

    def __repr__(self) -> str:
        said, goal = self.content, self.content["goal"]
        lines = [
            f"{said['steps']} steps -> {self.model}",
            f"{goal}: {said['start']:.4g} at the start, {said['end']:.4g} at the end",
        ]
        rows = [*said["weights"].values()]
        for number, expert in enumerate(said["experts"]):
            own = [row[number] for row in rows]
            mean = sum(own) / len(own)
            spread = f", from {min(own):.3g} to {max(own):.3g}" if len(own) > 1 else ""
            lines.append(f"{expert['path']}: weight {mean:.3g}{spread}")
        return "\n".join(lines)

"""What a search found, to print or to use in Python."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# In the directory of a search.
SEARCH_JSON, MODEL = "search.json", "model"


@dataclass(frozen=True)
class Found:
    """What a search found; printed, the best trial beside the first.

    Attributes:
        output: directory of the search.
        content: what ``search.json`` holds.
    """

    output: Path
    content: Mapping[str, Any]

    @property
    def model(self) -> Path:
        """Directory of the best merge."""
        return self.output / MODEL

    @property
    def best(self) -> dict[str, Any]:
        """The trial that was taken."""
        trial: dict[str, Any] = self.content["trials"][self.content["best"]]
        return trial

    def __repr__(self) -> str:
        lines = [f"{len(self.content['trials'])} trials -> {self.model}"]
        for title, trial in (("first", self.content["trials"][0]), ("best", self.best)):
            values = " ".join(f"{k}={_short(v)}" for k, v in trial["values"].items())
            lines.append(f"{title}: {trial['space']} {values}: {self._scores(trial)}")
        for goal, shares in self.content["importances"].items():
            told = ", ".join(f"{100 * share:.0f} % {k}" for k, share in shares.items())
            lines.append(f"{goal} depends on: {told or 'nothing that was tried'}")
        if found := self.content["correlation"]:
            lines.append(
                f"loss and error of {found['trials']} trials: Spearman's rank"
                f" correlation {found['spearman']:.2f}"
            )
        return "\n".join(lines)

    def _scores(self, trial: Mapping[str, Any]) -> str:
        told = [*zip(self.content["goals"], trial["scores"], strict=True)]
        if "checked" in trial:
            told += zip(self.content["checked_goals"], trial["checked"], strict=True)
        return ", ".join(f"{goal['name']} {score:.4g}" for goal, score in told)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

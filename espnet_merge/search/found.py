"""What was chosen, by a search or by gradient, to print or to use in Python."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# In the directory of what was chosen: one of the records, and the model.
SEARCH_JSON, LEARNED_JSON, MODEL = "search.json", "learned.json", "model"


@dataclass(frozen=True, repr=False)
class Chosen:
    """A merge that was chosen on development data.

    Attributes:
        output: directory of it.
        content: what the record beside the model holds.
    """

    output: Path
    content: Mapping[str, Any]

    @property
    def model(self) -> Path:
        """Directory of the merge."""
        return self.output / MODEL


class Found(Chosen):
    """What a search found; printed, the best trial beside the first."""

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


class Learned(Chosen):
    """What was learned by gradient; printed, the weights of the experts."""

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


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

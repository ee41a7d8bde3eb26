"""What was decoded, to look at."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from espnet_merge.data.table import read_table
from espnet_merge.job_array import Shard

# Texts of each directory that are shown.
SHOWN = 5


@dataclass(frozen=True)
class Decoded:
    """Hypotheses of data directories; as text, the first of each.

    Attributes:
        directories: with ``text`` and ``text.json``, one for each data directory.
        shard: the part that was decoded and kept there for the one who joins them;
            None where all is written.
    """

    directories: tuple[Path, ...]
    shard: Shard | None = None

    @property
    def texts(self) -> dict[str, str]:
        """Utterance -> text, of all directories."""
        found = [read_table(path / "text") for path in self.directories]
        return {name: text for table in found for name, text in table.items()}

    @property
    def records(self) -> dict[str, dict[str, Any]]:
        """Utterance -> what ``text.json`` says: text, score, language, repeats."""
        found = [
            json.loads((p / "text.json").read_text("utf-8")) for p in self.directories
        ]
        return {n: one for each in found for n, one in each["utterances"].items()}

    def __repr__(self) -> str:
        if self.shard:
            number, total = self.shard
            places = ", ".join(map(str, self.directories))
            return f"part {number} of {total}, kept in {places}"
        lines = []
        for path in self.directories:
            texts = read_table(path / "text")
            lines.append(f"{path}: {len(texts)} utterances")
            lines += [f"  {name} {text}" for name, text in list(texts.items())[:SHOWN]]
        return "\n".join(lines)

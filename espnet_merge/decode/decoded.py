"""What was decoded, to look at."""

import json
import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from espnet_merge.data.table import read_table
from espnet_merge.decode.journal import Record
from espnet_merge.decode.utterances import Utterance
from espnet_merge.files import TEXT_JSON
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
            json.loads((p / TEXT_JSON).read_text("utf-8")) for p in self.directories
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


def say_speed(pieces: Collection[Utterance], spent: float) -> None:
    """Print how long pieces of utterances took.

    Args:
        pieces: that were decoded just now.
        spent: seconds that it took.
    """
    if pieces:
        count = len({piece.name for piece in pieces})
        audio = sum(piece.seconds for piece in pieces)
        print(
            f"{count} utterances, {audio:.1f} s of audio, in {spent:.1f} s: "
            f"{spent / count:.3f} s an utterance, "
            f"real-time factor {spent / audio:.2f}.",
            file=sys.stderr,
        )


def say_what_is_odd(records: Collection[Record]) -> None:
    """Print which adapters were used, and how many texts loop or are cut."""
    routed = Counter(record["adapter"] for record in records if "adapter" in record)
    if routed:
        shares = ", ".join(f"{name} {n}" for name, n in sorted(routed.items()))
        print(f"utterances by adapter: {shares}.", file=sys.stderr)
    if defects := Counter(r["not_decoded"] for r in records if "not_decoded" in r):
        why = ", ".join(f"{count} {defect}" for defect, count in defects.items())
        print(
            f"{defects.total()} of {len(records)} utterances could not be decoded "
            f"({why}): their hypotheses are empty.",
            file=sys.stderr,
        )
    loops = sum(record["repeats"] >= 4 for record in records)
    truncated = sum(record["truncated"] for record in records)
    if loops or truncated:
        print(
            f"of {len(records)} hypotheses {loops} repeat a phrase four times or more "
            f"and {truncated} were cut at max_new_tokens.",
            file=sys.stderr,
        )

"""The result of a decoding, to print or to use in Python."""

import json
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from espnet_merge.data.table import read_table
from espnet_merge.decode.journal import Record
from espnet_merge.decode.utterances import Utterance
from espnet_merge.errors import InputError
from espnet_merge.files import TEXT_JSON
from espnet_merge.job_array import Shard

# Texts of each directory that are printed.
SHOWN = 5


@dataclass(frozen=True)
class Decoded:
    """Hypotheses of data directories; printed, the first of each.

    Attributes:
        directories: outputs with ``text`` and ``text.json``, one for each data
            directory.
        shard: part that was decoded and saved for the call that joins all parts; None
            if the hypotheses are written.
    """

    directories: tuple[Path, ...]
    shard: Shard | None = None

    @property
    def texts(self) -> dict[str, str]:
        """Utterance -> text, of all directories.

        Raises:
            InputError: two directories have an utterance of one name.
        """
        return self._joined([read_table(path / "text") for path in self.directories])

    @property
    def records(self) -> dict[str, dict[str, Any]]:
        """Utterance -> its record in ``text.json``: text, score, language, repeats.

        Raises:
            InputError: two directories have an utterance of one name.
        """
        contents = [
            json.loads((path / TEXT_JSON).read_text("utf-8"))
            for path in self.directories
        ]
        return self._joined([content["utterances"] for content in contents])

    def _joined[T](self, tables: Sequence[Mapping[str, T]]) -> dict[str, T]:
        found = {name: one for table in tables for name, one in table.items()}
        if len(found) < sum(map(len, tables)):
            raise InputError(
                f"{', '.join(map(str, self.directories))}: two have an utterance of one"
                " name: read one directory after the other."
            )
        return found

    def __repr__(self) -> str:
        if self.shard:
            number, total = self.shard
            directories = ", ".join(map(str, self.directories))
            return f"part {number} of {total}, kept in {directories}"
        lines = []
        for path in self.directories:
            texts = read_table(path / "text")
            lines.append(f"{path}: {len(texts)} utterances")
            lines += [f"  {name} {text}" for name, text in list(texts.items())[:SHOWN]]
        return "\n".join(lines)


def print_speed(segments: Collection[Utterance], spent: float) -> None:
    """Print how long decoding took.

    Args:
        segments: utterances, or segments of utterances, that were decoded.
        spent: seconds that it took.
    """
    if segments:
        count = len({segment.name for segment in segments})
        audio = sum(segment.seconds for segment in segments)
        print(
            f"{count} utterances, {audio:.1f} s of audio, in {spent:.1f} s: "
            f"{spent / count:.3f} s an utterance, "
            f"real-time factor {spent / audio:.2f}.",
            file=sys.stderr,
        )


def print_summary(records: Collection[Record]) -> None:
    """Print the adapters used, and how many texts are missing, loop or are cut."""
    routed = Counter(record["adapter"] for record in records if "adapter" in record)
    if routed:
        counts = ", ".join(f"{name} {n}" for name, n in sorted(routed.items()))
        print(f"utterances by adapter: {counts}.", file=sys.stderr)
    if defects := Counter(r["not_decoded"] for r in records if "not_decoded" in r):
        reasons = ", ".join(f"{count} {defect}" for defect, count in defects.items())
        print(
            f"{defects.total()} of {len(records)} utterances could not be decoded "
            f"({reasons}): their hypotheses are empty.",
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


def existing_mode(output: Path) -> Record | None:
    """Return the mode of the hypotheses in a directory; None if there are none.

    ``text.json`` is written last, so it exists only if everything does.
    """
    path = output / TEXT_JSON
    if not path.is_file():
        return None
    try:
        return dict(json.loads(path.read_text("utf-8"))["mode"])
    except (ValueError, KeyError, TypeError):
        return {}  # not ours

"""Sets that are there already: what they were made of, and which are out of date."""

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from espnet_merge.corpora.settings import Import
from espnet_merge.disk.temporary import remove, temporary_name
from espnet_merge.options import as_words

RECORD = "import.json"  # in each set: what it was made of
# Options that change nothing of the sets.
FREE = {"jobs", "overwrite", "output"}


def record_of(asked: Import) -> str:
    """Return what decides of the sets: options, and a digest of the files' state."""
    words = [word for word in as_words(asked) if word]
    free = {f"--{name}" for name in FREE}
    kept = [
        word
        for before, word in zip(["", *words], words, strict=False)
        if word not in free and before not in free
    ]
    states = []
    for source in map(Path, asked.source):
        files = sorted(source.rglob("*")) if source.is_dir() else [source]
        for file in (f for f in files if f.is_file()):
            state = file.stat()
            states.append(f"{file} {state.st_size} {state.st_mtime_ns}")
    digest = hashlib.sha256("\n".join(states).encode()).hexdigest()
    return " ".join([os.getcwd(), *kept, "of", digest])


def note(place: Path, sets: Iterable[str], record: str) -> None:
    """Write into a set what it was made of, and with which others."""
    said = json.dumps({"sets": [*sets], "of": record}, indent=1)
    (place / RECORD).write_text(said, "utf-8")


def is_made_of(record: str, place: Path) -> bool:
    """Return whether a set is there that was made of the same."""
    return bool(_said(place).get("of") == record)


def done(output: Path, record: str) -> list[str]:
    """Return the sets that were made of the same, if all of them are there."""
    for file in sorted(output.glob(f"*/{RECORD}")):
        sets: list[str] = _said(file.parent)["sets"]
        if all(is_made_of(record, output / name) for name in sets):
            return sets
    return []


def outdated(output: Path, sets: Collection[str]) -> list[Path]:
    """Return other sets of an earlier import that one of these was a part of.

    They may have utterances that are now in a split of another name.
    """
    places = []
    for file in sorted(output.glob(f"*/{RECORD}")):
        name, old = file.parent.name, _said(file.parent)["sets"]
        # A copy, or what another process is writing, is not called as its set.
        if name in old and name not in sets and not {*old}.isdisjoint(sets):
            places.append(file.parent)
    return places


def remove_whole(places: Sequence[Path]) -> list[str]:
    """Remove directories, each completely or not at all, and return their names."""
    for place in places:
        gone = temporary_name(place)
        place.rename(gone)
        remove(gone)
    return [*map(str, places)]


def _said(place: Path) -> dict[str, Any]:
    """Return what a set says that it was made of."""
    file = place / RECORD
    said: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return said

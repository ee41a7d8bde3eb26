"""Which recording goes to which split: by names alone, on every machine alike."""

import hashlib
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from espnet_merge.data.sets import SPLITS, TEST
from espnet_merge.errors import InputError

OWN = "own"  # splits are those of the corpus
# What corpora call the splits.
CALLED = {
    **{split: split for split in SPLITS},
    "training": SPLITS[0],
    **dict.fromkeys(("validation", "validate", "val", "dev", "development"), SPLITS[1]),
    **dict.fromkeys(("testing", "eval", "evaluation"), TEST),
}
# Only as the whole value of a column: in names of files it is Turkish.
ABBREVIATED = {"tr": SPLITS[0]}


def is_own(words: Sequence[str]) -> bool:
    """Return whether the splits are those of the corpus."""
    return [*words] == [OWN]


def parse_shares(words: Sequence[str]) -> dict[str, float]:
    """Return split -> share, which sum to 1; nothing for those of the corpus.

    >>> parse_shares(["test=1", "train=3"]), parse_shares(["test"])
    ({'train': 0.75, 'test': 0.25}, {'test': 1.0})
    >>> parse_shares(["own"])
    {}

    Raises:
        InputError: a word is neither a split nor has a share, or a split stands twice.
    """
    if is_own(words):
        return {}
    shares: dict[str, float] = {}
    for word in words:
        split, _, number = word.partition("=")
        try:
            share = float(number or (1 if len(words) == 1 else "none"))
        except ValueError:
            share = 0.0
        if split not in SPLITS or split in shares or not 0 < share < float("inf"):
            raise InputError(
                "split must be of train, valid and test with shares above 0, as "
                f"'train=0.8 valid=0.1 test=0.1', one of them, or own; got {word!r}."
            )
        shares[split] = share
    total = sum(shares.values())
    return {split: shares[split] / total for split in SPLITS if split in shares}


def split_of(name: str) -> str:
    """Return the split that the last word of a name tells that tells one, or nothing.

    >>> [split_of(n) for n in ("train_dev", "train-00000-of-00002.parquet", "es.tsv")]
    ['valid', 'train', '']
    """
    words = reversed(re.split(r"[\W_]+", name.lower()))
    return next((CALLED[word] for word in words if word in CALLED), "")


def assign(
    groups: Sequence[Sequence[str]],
    rows: Mapping[str, Mapping[str, int]],
    shares: Mapping[str, float],
) -> dict[str, str]:
    """Return recording -> split, so that all recordings of a group are in one.

    Large groups come first, by size, then the others in the order of a digest; each
    goes to the first split that lacks at least half of it. So corpora that differ in a
    few recordings have nearly all others in the same splits. Shares are those of each
    set, and the last groups of a set go to splits that have nothing of it.

    Args:
        groups: names of recordings.
        rows: recording -> set, as ``es`` or ``es-en`` -> number of its rows.
        shares: of the splits.
    """
    parts = _parts(groups, rows)
    left = Counter(name for own in parts for name in own)
    sets = {name: _Set(dict(shares), set(shares), left[name]) for name in left}

    def order(place: int) -> tuple[float, bytes]:
        size = max(parts[place].values())
        large = size > min(shares.values()) / 2
        return -size if large else 0.0, _digest(min(groups[place]))

    chosen: dict[str, str] = {}
    for place in sorted(range(len(groups)), key=order):
        split = _next_split(parts[place], sets, shares)
        for name, part in parts[place].items():
            sets[name].take(split, part)
        chosen |= dict.fromkeys(groups[place], split)
    return chosen


def joined(keys: Mapping[str, Iterable[Hashable]]) -> list[list[str]]:
    """Return groups of names, so that no two groups share a key.

    Args:
        keys: name -> what it may share with others, such as speaker and sentence.
    """
    parents: list[int] = []

    def find(node: int) -> int:
        while parents[node] != node:
            parents[node] = node = parents[parents[node]]
        return node

    owner: dict[Hashable, int] = {}
    nodes = {}
    for name, own in keys.items():
        node = nodes[name] = len(parents)
        parents.append(node)
        for key in own:
            other = owner.setdefault(key, node)
            parents[find(node)] = find(other)
    groups: dict[int, list[str]] = {}
    for name, node in nodes.items():
        groups.setdefault(find(node), []).append(name)
    return [*groups.values()]


@dataclass
class _Set:
    """What a set lacks yet.

    lacking: split -> share of its rows.
    empty: splits that have none.
    groups: that have not been assigned, and have rows of it.
    """

    lacking: dict[str, float]
    empty: set[str]
    groups: int

    @property
    def needed(self) -> set[str]:
        """The splits of which one must be next, so that none stays empty."""
        return self.empty if self.groups <= len(self.empty) else set()

    def take(self, split: str, part: float) -> None:
        self.lacking[split] -= part
        self.empty.discard(split)
        self.groups -= 1


def _parts(
    groups: Iterable[Sequence[str]], rows: Mapping[str, Mapping[str, int]]
) -> list[dict[str, float]]:
    """Return for each group what part of a set it is: set -> share of its rows."""
    sizes = [_sum(rows[name] for name in names) for names in groups]
    total = _sum(sizes)
    # In one order, so that sums are the same to the last digit.
    return [{name: own[name] / total[name] for name in sorted(own)} for own in sizes]


def _sum(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for own in counts:
        total.update(own)
    return total


def _next_split(
    parts: Mapping[str, float], sets: Mapping[str, _Set], shares: Iterable[str]
) -> str:
    """Return the first split that lacks half of a group, or else what lacks most."""
    needed = Counter(split for name in parts for split in sets[name].needed)
    lacking = {
        split: sum(part * sets[name].lacking[split] for name, part in parts.items())
        for split in shares
        if needed[split] == max(needed.values(), default=0)
    }
    half = sum(part * part for part in parts.values()) / 2
    most = max(lacking, key=lacking.__getitem__)
    return next((split for split, lack in lacking.items() if lack >= half), most)


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()

"""Which utterance goes to which split: by names alone, on every machine alike."""

import hashlib
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import PurePath

from espnet_merge.data.sets import SPLITS, TEST
from espnet_merge.errors import InputError

OWN = "own"  # splits are those of the corpus
# What corpora call the splits.
CALLED = {
    **{split: split for split in SPLITS},
    **dict.fromkeys(("training", "tr"), SPLITS[0]),
    **dict.fromkeys(("validation", "validate", "val", "dev", "development"), SPLITS[1]),
    **dict.fromkeys(("testing", "eval", "evaluation"), TEST),
}


def parse_shares(words: Sequence[str]) -> dict[str, float]:
    """Return split -> share, which sum to 1; nothing for those of the corpus.

    >>> parse_shares(["train=3", "test=1"]), parse_shares(["test"])
    ({'train': 0.75, 'test': 0.25}, {'test': 1.0})
    >>> parse_shares(["own"])
    {}

    Raises:
        InputError: a word is neither a split nor has a share, or a split stands twice.
    """
    if [*words] == [OWN]:
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
    return {split: share / total for split, share in shares.items()}


def split_of(name: str) -> str:
    """Return the split that a name tells, or nothing.

    >>> [split_of(n) for n in ("dev", "data/train-00000-of-00002.parquet", "es.tsv")]
    ['valid', 'train', '']
    """
    for part in PurePath(name).parts:
        for word in re.split(r"[\W_]+", part.lower()):
            if word in CALLED:
                return CALLED[word]
    return ""


def assign[G: Hashable](
    groups: Mapping[G, Sequence[str]], shares: Mapping[str, float]
) -> dict[str, str]:
    """Return name -> split, so that all names of a group are in one.

    The largest groups come first, each to the split that lacks most; groups of one size
    in the order of a digest. No split is empty where there are groups enough.

    Args:
        groups: names of utterances; how groups are called does not matter.
        shares: of the splits.
    """
    lacking = {
        split: share * sum(map(len, groups.values())) for split, share in shares.items()
    }
    empty = dict.fromkeys(shares)
    ordered = sorted(
        groups.values(), key=lambda names: (-len(names), _digest(min(names)))
    )
    chosen: dict[str, str] = {}
    for place, names in enumerate(ordered):
        left = len(ordered) - place
        split = max(
            empty if empty and left <= len(empty) else shares, key=lacking.__getitem__
        )
        empty.pop(split, None)
        lacking[split] -= len(names)
        chosen |= dict.fromkeys(names, split)
    return chosen


def joined(keys: Mapping[str, Iterable[Hashable]]) -> dict[int, list[str]]:
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
    return groups


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()

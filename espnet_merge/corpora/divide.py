"""Which row goes to which set: by language and task, and by split."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from espnet_merge.corpora.names import Named, name_rows, recording_keys
from espnet_merge.corpora.rows import Row, sentence
from espnet_merge.corpora.settings import Import
from espnet_merge.corpora.splits import assign, joined
from espnet_merge.data.sets import SPLITS
from espnet_merge.errors import InputError, warn
from espnet_merge.speech import TRANSLATE

# What utterances of two splits can have in common. Only splits of the corpus's own can
# share a recording.
RECORDING, SPEAKER, SENTENCE = "recording", "speaker", "sentence"


def divide(
    rows: Iterable[Row],
    asked: Import,
    shares: Mapping[str, float],
    dropped: dict[str, list[str]],
) -> dict[str, list[Named]]:
    """Return set -> rows with their names, before any recording is looked at.

    Sets are called by group, which is language and task, and by split. A recording is
    in one split, in all groups.

    Args:
        rows: of the corpus.
        asked: what is imported.
        shares: of the splits; empty for those of the corpus.
        dropped: reason -> places; filled with what has no split or is listed twice.

    Raises:
        InputError: two utterances have one name, a speaker is not known, or splits
            would have to share what they must not.
    """
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if shares or row.split:
            groups[_group(row, asked)].append(row)
        else:
            dropped.setdefault("no split", []).append(row.where)
    named = {
        group: name_rows(own, group, dropped) for group, own in sorted(groups.items())
    }
    chosen = _choose(named, asked, shares) if shares else {}
    sets: dict[str, list[Named]] = {}
    for group, own in named.items():
        splits: dict[str, list[Named]] = {split: [] for split in SPLITS}
        for one in own:
            splits[chosen.get(_key(one.row, RECORDING), one.row.split)].append(one)
        sets |= {f"{group}_{s}": r for s, r in splits.items() if r or s in shares}
        _warn_of_shares(group, splits, asked, shares)
    return sets


def shared(sets: Mapping[str, Iterable[Named]]) -> dict[str, int]:
    """Return how many recordings, speakers and sentences are in more than one split.

    Args:
        sets: by name, which ends with the split.
    """
    counts = {}
    for kind in (RECORDING, SPEAKER, SENTENCE):
        splits: dict[str, set[str]] = defaultdict(set)
        for name, rows in sets.items():
            for one in rows:
                splits[_key(one.row, kind)].add(name.rpartition("_")[2])
        splits.pop("", None)  # nobody knows the speaker, or nothing is said
        counts[kind] = sum(len(own) > 1 for own in splits.values())
    return {kind: count for kind, count in counts.items() if count}


def _group(row: Row, asked: Import) -> str:
    """Return the name of a row's sets without the split."""
    name = row.language
    if row.task == TRANSLATE:
        name += "-en"
    return f"{name}_{asked.domain}" if asked.domain else name


def _key(row: Row, kind: str) -> str:
    """Return what two rows have in common, as the corpus says it."""
    if kind == SPEAKER:
        return row.speaker
    if kind == SENTENCE:
        return sentence(row.text)
    # Tables of two folders may lead to one recording: ../clips/1.wav.
    return row.audio if "\0" in row.audio else os.path.normpath(row.audio)


def _kinds(asked: Import) -> str:
    return " or a ".join([RECORDING, *asked.disjoint])


def _choose(
    named: Mapping[str, Sequence[Named]], asked: Import, shares: Mapping[str, float]
) -> dict[str, str]:
    """Return recording -> split, which is one for all groups of sets."""
    rows = [(group, one.row) for group, own in named.items() for one in own]
    if SPEAKER in asked.disjoint:
        _check_speakers(row for _, row in rows)
    # The name of a file is the same wherever the corpus lies, and for other texts.
    names = recording_keys({_key(row, RECORDING) for _, row in rows})
    keys: dict[str, set[tuple[str, str]]] = defaultdict(set)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for group, row in rows:
        name = names[_key(row, RECORDING)]
        keys[name] |= {
            (kind, key) for kind in asked.disjoint if (key := _key(row, kind))
        }
        counts[name][group] += 1
    together = joined(keys)
    _check_enough(together, counts, asked, shares)
    chosen = assign(together, counts, shares)
    return {recording: chosen[name] for recording, name in names.items()}


def _check_speakers(rows: Iterable[Row]) -> None:
    for row in rows:
        if not row.speaker:
            raise InputError(
                f"{row.where}: every utterance must have its speaker where splits must "
                "not share one; this has none: give --speaker-column, or leave "
                "--disjoint speaker out."
            )


def _check_enough(
    together: Iterable[Sequence[str]],
    counts: Mapping[str, Iterable[str]],
    asked: Import,
    shares: Mapping[str, float],
) -> None:
    """Raise ``InputError`` if a group of sets has too little that can be parted."""
    found = Counter(
        group for names in together for group in {g for n in names for g in counts[n]}
    )
    remedy = "less of --disjoint" if asked.disjoint else "give parts files of their own"
    for group, count in found.items():
        if count < len(shares):
            raise InputError(
                f"{asked.source[0]}: {len(shares)} splits must not share a "
                f"{_kinds(asked)}; {group} has fewer groups of rows that do not: "
                f"{count}: ask for fewer splits, or {remedy}."
            )


def _warn_of_shares(
    group: str,
    splits: Mapping[str, Sequence[Named]],
    asked: Import,
    shares: Mapping[str, float],
) -> None:
    total = sum(map(len, splits.values()))
    for split, share in shares.items():
        found = len(splits[split]) / total
        if not share / 2 <= found <= share * 2:
            warn(
                f"{group}_{split} has {found:.0%} of the utterances, not {share:.0%}: "
                f"many of them share a {_kinds(asked)}, and stay together."
            )

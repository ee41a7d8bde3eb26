"""What stands in two splits: texts, recordings, speakers."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from espnet_merge.data.audio import AudioError, read_blocks
from espnet_merge.files import UTT2SPK, WAV_SCP
from espnet_merge.installation import Finding
from espnet_merge.preflight.sets import TEST, TRAIN, VALID, Checked, note
from espnet_merge.score.normalize import basic

PAIRS = ((TEST, TRAIN), (VALID, TRAIN), (TEST, VALID))
# Recordings that are decoded to compare them, at most: a few seconds of work.
MOST = 1000


def repeated_texts(sets: Sequence[Checked]) -> Iterator[Finding]:
    """Yield how many texts of a split are in another, case and punctuation aside."""
    texts = {
        id(one): {n: basic(one.tables["text"].get(n, "")) for n in one.report.kept}
        for one in sets
    }
    for split, other in PAIRS:
        owners = {
            text: f"{name} of {one.name}"
            for one in sets
            if one.split == other
            for name, text in texts[id(one)].items()
            if text
        }
        own = [one for one in sets if one.split == split]
        hits = [
            f"{one.example(name)} = {owners[text]}"
            for one in own
            for name, text in texts[id(one)].items()
            if text in owners
        ]
        yield note(
            f"texts of {split} in {other}",
            hits,
            _count(own),
            f"scores may tell what was learnt by heart: take them out of {other}, or "
            "say so beside the scores",
        )


def repeated_audio(sets: Sequence[Checked]) -> Iterator[Finding]:
    """Yield how many recordings of a split are in another, sample by sample.

    Recordings of one length are decoded and compared, at most ``MOST`` of them.
    """
    digests: dict[str, str] = {}
    for split, other in PAIRS:
        lengths: defaultdict[int, list[tuple[Checked, str]]] = defaultdict(list)
        for one in sets:
            if one.split == other:
                for name, samples in one.report.kept.items():
                    lengths[samples].append((one, name))
        own = [one for one in sets if one.split == split]
        hits, skipped = [], 0
        for one in own:
            for name, samples in one.report.kept.items():
                if samples not in lengths:
                    continue
                if len(digests) >= MOST:
                    skipped += 1
                    continue
                digest = _digest(one, name, digests)
                same = (o for o in lengths[samples] if _digest(*o, digests) == digest)
                if twin := next(same, None):
                    hits.append(f"{name} of {one.name} = {twin[1]} of {twin[0].name}")
        found = note(
            f"audio of {split} in {other}",
            hits,
            _count(own) - skipped,
            f"scores are not of new speech: take them out of {other}",
        )
        yield found
        if skipped:
            detail = f"{skipped} recordings of {split} were not compared with {other}"
            yield Finding("compared audio", "note", detail, "the check takes too long")


def _digest(one: Checked, name: str, known: dict[str, str]) -> str:
    """Return the SHA-256 of an utterance's samples; the path if it is broken."""
    path = one.tables[WAV_SCP][name]
    if path not in known:
        digest = hashlib.sha256()
        try:
            for block in read_blocks(Path(path)):
                digest.update(block.tobytes())
            known[path] = digest.hexdigest()
        except AudioError:
            known[path] = path
    return known[path]


def shared_speakers(sets: Sequence[Checked]) -> Iterator[Finding]:
    """Yield how many speakers of a split are in another."""
    for split, other in PAIRS:
        own, others = (_speakers(sets, part) for part in (split, other))
        if own is None or others is None:
            detail = f"of {split} or {other}: utt2spk names one for each utterance"
            yield Finding("unknown speakers", "note", detail, "write them into utt2spk")
            continue
        hits = [speaker for speaker in own if speaker in others]
        yield note(
            f"speakers of {split} in {other}",
            hits,
            len(own),
            "a voice that was trained on is easier: split by speaker, or say so beside "
            "the scores",
        )


def _speakers(sets: Sequence[Checked], split: str) -> dict[str, None] | None:
    """Return the speakers of a split; None if each utterance has its own."""
    named = {
        (one.name, name): one.tables[UTT2SPK].get(name, name)
        for one in sets
        if one.split == split
        for name in one.report.kept
    }
    known = any(name != speaker for (_, name), speaker in named.items())
    return dict.fromkeys(named.values()) if known or not named else None


def _count(sets: Sequence[Checked]) -> int:
    return sum(len(one.report.kept) for one in sets)

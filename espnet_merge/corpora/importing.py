"""A corpus of the user's, in any format, as data directories."""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from espnet_merge.corpora.formats import Format, format_of
from espnet_merge.corpora.names import Named, name_rows
from espnet_merge.corpora.recordings import Heard, Part, hear_all, part_of
from espnet_merge.corpora.rows import Row, read_rows, sentence
from espnet_merge.corpora.settings import Import
from espnet_merge.corpora.splits import assign, joined, parse_shares
from espnet_merge.data.kaldi import DEFECTS, NO_AUDIO, Tables, write_tables
from espnet_merge.data.report import reasons
from espnet_merge.data.sets import SPLITS, TEST
from espnet_merge.data.validate import validate
from espnet_merge.disk.atomic import check_output, whole_directory, whole_file
from espnet_merge.errors import InputError, warn
from espnet_merge.files import UTT2LANG, UTT2SPK, UTT2TASK, WAV_SCP
from espnet_merge.options import as_words
from espnet_merge.speech import LANGUAGES, TRANSLATE

RECORD = "import.json"  # in each set: what it was made of
# Options that change nothing of the sets.
FREE = {"jobs", "overwrite", "output"}


@dataclass
class Imported:
    """What was imported.

    Args:
        sets: directory -> utterances and minutes.
        dropped: reason -> places in the corpus.
        listed: file with all that was dropped, if anything was.
        shared: what utterances of two splits have in common -> how many of it.
        made: whether the sets were not there before.
    """

    sets: dict[str, tuple[int, float]] = field(default_factory=dict)
    dropped: dict[str, list[str]] = field(default_factory=dict)
    listed: Path | None = None
    shared: dict[str, int] = field(default_factory=dict)
    made: bool = True

    def __str__(self) -> str:
        """Return the table: what was kept, and what was dropped and why."""
        if not self.made:
            return "\n".join(f"{name}: is there already" for name in self.sets)
        lines = [
            f"{name:22}{count:7}{minutes:8.1f} min"
            for name, (count, minutes) in self.sets.items()
        ]
        if self.dropped:
            lines += [
                f"dropped, all in {self.listed}",
                *(f"  {line}" for line in reasons(self.dropped)),
            ]
        if self.shared:
            common = ", ".join(f"{n} {what}s" for what, n in self.shared.items())
            kinds = " ".join(self.shared)
            lines.append(
                f"in two splits: {common} (--disjoint {kinds} keeps them apart)"
            )
        return "\n".join(lines)


def import_corpus(asked: Import, known: Collection[str] = LANGUAGES) -> Imported:
    """Write the sets of a corpus, all or none, if they are not there.

    Converted and embedded recordings are kept in ``<output>/local``, where a run that
    was interrupted goes on.

    Args:
        asked: what is imported.
        known: codes of the languages of the model that is going to be used.

    Raises:
        InputError: the corpus is broken, has no usable utterance for a split, or a set
            is there that was made of something else.
    """
    shares = parse_shares(asked.split)
    if asked.disjoint and len(shares) < 2:
        raise InputError(
            "disjoint needs shares of at least two splits, as 'train=0.9 test=0.1'; "
            f"got {' '.join(asked.split)}: leave --disjoint out."
        )
    form = format_of(asked.format)
    form.check_package()
    record = _record(asked)
    output = Path(asked.output)
    if done := _done(output, record):
        return Imported(dict.fromkeys(done, (0, 0.0)), made=False)
    found = Imported()
    rows = read_rows(asked, form, known, found.dropped)
    sets = _sets(rows, asked, shares, found)
    for name in sets:
        if _said(output / name).get("of") != record:
            check_output(output / name, overwrite=asked.overwrite, mark=WAV_SCP)
    # Of one group of sets at least; converted recordings of several may lie together.
    local = output / "local" / min(sets).rpartition("_")[0]
    heard = _hear(asked, form, sets, local)
    tables = {name: _tables(name, own, heard, found) for name, own in sets.items()}
    _write(output, tables, record, known)
    if found.dropped:
        found.listed = local / "dropped.tsv"
        _list_dropped(found.dropped, found.listed)
    found.sets = {str(output / name): found.sets[name] for name in sets}
    return found


def _sets(
    rows: Iterable[Row], asked: Import, shares: Mapping[str, float], found: Imported
) -> dict[str, list[Named]]:
    """Return set -> rows with their names, before any recording is looked at."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if shares or row.split:
            groups[_group(row, asked)].append(row)
        else:
            found.dropped.setdefault("no split", []).append(row.where)
    sets: dict[str, list[Named]] = {}
    for group, members in sorted(groups.items()):
        named = name_rows(members, group, found.dropped)
        chosen = _split(named, asked, shares) if shares else {}
        own: dict[str, list[Named]] = {
            split: [] for split in SPLITS if split in shares or not shares
        }
        for one in named:
            own[chosen.get(one.name, one.row.split)].append(one)
        _count_shared(own.values(), found.shared)
        sets |= {f"{group}_{s}": names for s, names in own.items() if names or shares}
    if not sets:
        raise InputError(
            f"{asked.source[0]}: must have usable rows; it has none "
            f"({_counts(found.dropped)}): mend the corpus, or name other columns."
        )
    return sets


def _group(row: Row, asked: Import) -> str:
    """Return the name of a row's sets without the split."""
    name = row.language
    if row.task == TRANSLATE:
        name += "-en"
    return f"{name}_{asked.domain}" if asked.domain else name


def _split(
    named: Sequence[Named], asked: Import, shares: Mapping[str, float]
) -> dict[str, str]:
    """Return name -> split."""
    if "speaker" in asked.disjoint and not all(one.row.speaker for one in named):
        lacking = next(one for one in named if not one.row.speaker)
        raise InputError(
            f"{lacking.row.where}: every utterance must have its speaker where splits "
            "must not share one; this has none: give --speaker-column, or leave "
            "--disjoint speaker out."
        )
    keys = {
        one.name: [(kind, _key(one, kind)) for kind in asked.disjoint] for one in named
    }
    groups = joined(keys)
    kinds = " or a ".join(asked.disjoint) or "row"
    if len(groups) < len(shares):
        raise InputError(
            f"{asked.source[0]}: {len(shares)} splits must not share a {kinds}; the "
            f"corpus has fewer groups that do not: {len(groups)}: ask for fewer "
            "splits, or less of --disjoint."
        )
    chosen = assign(groups, shares)
    for split, share in shares.items():
        found = [*chosen.values()].count(split) / len(chosen)
        if not share / 2 <= found <= share * 2:
            warn(
                f"{split} has {found:.0%} of the utterances, not {share:.0%}: many of "
                f"them share a {kinds}, and stay together."
            )
    return chosen


def _key(one: Named, kind: str) -> str:
    return one.speaker if kind == "speaker" else sentence(one.row.text)


def _count_shared(splits: Iterable[Sequence[Named]], shared: dict[str, int]) -> None:
    """Add how many speakers and sentences are in more than one split."""
    for kind in ("speaker", "sentence"):
        seen: dict[str, int] = defaultdict(int)
        for names in splits:
            for key in {_key(one, kind) for one in names}:
                seen[key] += 1
        if count := sum(1 for n in seen.values() if n > 1):
            shared[kind] = shared.get(kind, 0) + count


def _hear(
    asked: Import, form: Format, sets: Mapping[str, Sequence[Named]], folder: Path
) -> dict[str, Heard]:
    """Look at all recordings; raise ``InputError`` if none of them is there."""
    wanted = list(
        dict.fromkeys(one.row.audio for rows in sets.values() for one in rows)
    )
    heard = hear_all(wanted, folder, asked.jobs, form.unpack)
    missing = [name for name in wanted if heard[name].defect == "no such file"]
    if len(missing) == len(wanted):
        raise InputError(
            f"{asked.source[0]}: recordings must be there; none of {len(wanted)} is, "
            f"as {missing[0]}: give --audio-root, or another --audio-column."
        )
    return heard


def _tables(
    name: str, rows: Sequence[Named], heard: Mapping[str, Heard], found: Imported
) -> Tables:
    """Return the tables of a set; in a test set audio is no reason to be dropped."""
    parts: dict[str, Part] = {}
    kept = []
    for one in rows:
        part = part_of(one.row, heard[one.row.audio])
        words = any(letter.isalnum() for letter in one.row.text)
        why = part.defect or ("" if words else "no text")
        if why and not name.endswith(f"_{TEST}"):
            found.dropped.setdefault(why, []).append(one.row.where)
        else:
            kept.append(one)
            parts[one.name] = part
    if not kept:
        raise InputError(
            f"{name}: must have utterances; none is left "
            f"({_counts(found.dropped)}): mend the corpus, or change --split."
        )
    seconds = sum(part.seconds for part in parts.values())
    found.sets[name] = len(kept), seconds / 60
    return _columns(kept, parts, heard)


def _columns(
    rows: Sequence[Named], parts: Mapping[str, Part], heard: Mapping[str, Heard]
) -> Tables:
    defects = {name: part.defect for name, part in parts.items() if part.defect}
    audio = {
        one.name: NO_AUDIO if one.name in defects else heard[one.row.audio].audio
        for one in rows
    }
    tables = {
        WAV_SCP: audio,
        "text": {one.name: one.row.text for one in rows},
        UTT2SPK: {one.name: one.speaker for one in rows},
        UTT2LANG: {one.name: one.row.language for one in rows},
        UTT2TASK: {one.name: one.row.task for one in rows},
        DEFECTS: defects,
    }
    if all(part.whole for part in parts.values()):
        return tables
    # With segments, wav.scp lists recordings: one for each that is unusable, too.
    own = {one.name: one.name if one.name in defects else one.recording for one in rows}
    tables[WAV_SCP] = {own[name]: value for name, value in audio.items()}
    tables["segments"] = {
        one.name: f"{own[one.name]} {_times(one.row, parts[one.name])}" for one in rows
    }
    return tables


def _times(row: Row, part: Part) -> str:
    if part.whole or part.defect:
        return "0 -1"
    end = "-1" if row.end is None else f"{row.end:.3f}"
    return f"{row.start or 0:.3f} {end}"


def _write(
    output: Path, tables: Mapping[str, Tables], record: str, known: Collection[str]
) -> None:
    """Write all sets, or none."""
    with ExitStack() as stack:
        for name, own in tables.items():
            part = stack.enter_context(whole_directory(output / name))
            write_tables(own, part)
            (part / RECORD).write_text(
                json.dumps({"sets": [*tables], "of": record}, indent=1), "utf-8"
            )
            validate([part], known)


def _list_dropped(dropped: Mapping[str, Sequence[str]], file: Path) -> None:
    """Write a line of reason and place for all that was dropped."""
    with whole_file(file) as part:
        lines = (f"{why}\t{where}\n" for why in dropped for where in dropped[why])
        part.write_text("".join(lines), "utf-8")


def _record(asked: Import) -> str:
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


def _done(output: Path, record: str) -> list[str]:
    """Return the sets that were made of the same, if all of them are there."""
    for file in sorted(output.glob(f"*/{RECORD}")):
        sets = _said(file.parent)["sets"]
        if all(_said(output / name).get("of") == record for name in sets):
            return [str(output / name) for name in sets]
    return []


def _said(place: Path) -> dict[str, Any]:
    """Return what a set says that it was made of."""
    file = place / RECORD
    said: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return said


def _counts(dropped: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(f"{len(p)} {why}" for why, p in sorted(dropped.items())) or "empty"

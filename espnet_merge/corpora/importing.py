"""A corpus of the user's, in any format, as data directories."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from espnet_merge.corpora.divide import RECORDING, divide, shared
from espnet_merge.corpora.formats import Format, format_of
from espnet_merge.corpora.former import (
    done,
    is_made_of,
    note,
    outdated,
    record_of,
    remove_whole,
)
from espnet_merge.corpora.names import Named
from espnet_merge.corpora.recordings import Heard, Part, hear_all, part_of
from espnet_merge.corpora.rows import Row, read_rows
from espnet_merge.corpora.settings import Import
from espnet_merge.corpora.splits import parse_shares
from espnet_merge.data.kaldi import DEFECTS, NO_AUDIO, Tables, write_tables
from espnet_merge.data.report import reasons
from espnet_merge.data.sets import TEST
from espnet_merge.data.validate import validate
from espnet_merge.disk.atomic import check_output, whole_directory, whole_file
from espnet_merge.errors import InputError
from espnet_merge.files import UTT2LANG, UTT2SPK, UTT2TASK, WAV_SCP
from espnet_merge.speech import LANGUAGES


@dataclass
class Imported:
    """What was imported.

    Args:
        sets: directory -> utterances and minutes.
        dropped: reason -> places in the corpus.
        listed: file with all that was dropped, if anything was.
        shared: what utterances of two splits have in common -> how many of it.
        made: whether the sets were not there before.
        removed: directories of earlier sets, which the new ones replace.
    """

    sets: dict[str, tuple[int, float]] = field(default_factory=dict)
    dropped: dict[str, list[str]] = field(default_factory=dict)
    listed: Path | None = None
    shared: dict[str, int] = field(default_factory=dict)
    made: bool = True
    removed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Return the table: what was kept, and what was dropped and why."""
        lines = [
            f"{name:22}{count:7}{minutes:8.1f} min"
            if self.made
            else f"{name}: is there already"
            for name, (count, minutes) in self.sets.items()
        ]
        lines += [
            f"{name}: removed, of an earlier import of the same sets"
            for name in self.removed
        ]
        if self.dropped:
            lines += [
                f"dropped, all in {self.listed}",
                *(f"  {line}" for line in reasons(self.dropped)),
            ]
        if self.shared:
            common = ", ".join(f"{n} {what}s" for what, n in self.shared.items())
            lines.append(f"in two splits: {common} ({self._remedy()})")
        return "\n".join(lines)

    def _remedy(self) -> str:
        kinds = " ".join(kind for kind in self.shared if kind != RECORDING)
        words = ["shares in --split"] if RECORDING in self.shared else []
        words += [f"--disjoint {kinds}"] if kinds else []
        return f"to keep them apart: {', '.join(words)}"


def import_corpus(asked: Import, known: Collection[str] = LANGUAGES) -> Imported:
    """Write the sets of a corpus, all or none, if they are not there.

    Converted and embedded recordings are kept in ``<output>/local``, where a run that
    was interrupted goes on.

    Args:
        asked: what is imported.
        known: codes of the languages of the model that is going to be used.

    Raises:
        InputError: the corpus is broken, has no usable utterance for a split, or a set
            is there that was made of something else, or that would overlap with these.
    """
    shares = parse_shares(asked.split)
    if asked.disjoint and len(shares) < 2:
        raise InputError(
            "disjoint needs shares of at least two splits, as 'train=0.9 test=0.1'; "
            f"got {' '.join(asked.split)}: leave --disjoint out."
        )
    form = format_of(asked.format)
    form.check_package()
    record = record_of(asked)
    output = Path(asked.output)
    found = Imported()
    if there := done(output, record):
        found.made = False
        found.sets = {str(output / name): (0, 0.0) for name in there}
        if asked.overwrite:  # a run that was killed may have left them
            found.removed = remove_whole(outdated(output, there))
        return found
    rows = read_rows(asked, form, known, found.dropped)
    sets = divide(rows, asked, shares, found.dropped)
    if not sets:
        raise InputError(
            f"{asked.source[0]}: must have usable rows; it has none "
            f"({_counts(found.dropped)}): mend the corpus, or name other columns."
        )
    found.shared = shared(sets)
    _check_places(output, sets, record, overwrite=asked.overwrite)
    # Of one group of sets at least; converted recordings of several may lie together.
    local = output / "local" / min(sets).rpartition("_")[0]
    heard = _hear(asked, form, sets, local)
    tables = {name: _tables(name, own, heard, found) for name, own in sets.items()}
    _write(output, tables, record, known)
    found.removed = remove_whole(outdated(output, sets))
    if found.dropped:
        found.listed = local / "dropped.tsv"
        _list_dropped(found.dropped, found.listed)
    found.sets = {str(output / name): found.sets[name] for name in sets}
    return found


def _check_places(
    output: Path, sets: Collection[str], record: str, *, overwrite: bool
) -> None:
    """Raise ``InputError`` where a set may not be written, or an old one removed."""
    for name in sets:
        if not is_made_of(record, output / name):
            check_output(output / name, overwrite=overwrite, mark=WAV_SCP)
    if not overwrite and (old := outdated(output, sets)):
        raise InputError(
            f"{old[0]}: sets of one import must be made together; this is of an "
            f"earlier one that made {min(sets)}, and may have the same utterances: "
            "remove it, give another --output, or --overwrite, which removes it."
        )


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
            note(part, tables, record)
            validate([part], known)


def _list_dropped(dropped: Mapping[str, Sequence[str]], file: Path) -> None:
    """Write a line of reason and place for all that was dropped."""
    with whole_file(file) as part:
        lines = (f"{why}\t{where}\n" for why in dropped for where in dropped[why])
        part.write_text("".join(lines), "utf-8")


def _counts(dropped: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(f"{len(p)} {why}" for why, p in sorted(dropped.items())) or "empty"

"""Lhotse's manifests: cuts, or recordings beside their supervisions."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from espnet_merge.corpora.formats import FIELDS, Format, Record, columns, files_in
from espnet_merge.errors import InputError

# Kinds of sources that are files or commands, as wav.scp writes them.
KINDS = {"file": "{}", "command": "{} |"}
# Changes the rate alone: the file's own sound is the same, at the same times.
RESAMPLE = "Resample"


def read(sources: Sequence[Path]) -> Iterator[Record]:
    """Yield the supervisions of manifests, or of those in directories.

    Raises:
        InputError: a file is no manifest, or supervisions come without recordings.
    """
    from lhotse import CutSet, RecordingSet, SupervisionSet

    files = [file for source in sources for file in files_in(source, "*.jsonl*")]
    loaded = [(file, _load(file)) for file in files]
    recordings = {
        recording.id: recording
        for _, manifest in loaded
        if isinstance(manifest, RecordingSet)
        for recording in manifest
    }
    kinds = {type(manifest) for _, manifest in loaded}
    if CutSet not in kinds and not {RecordingSet, SupervisionSet} <= kinds:
        raise InputError(
            f"{sources[0]}: must be a manifest of cuts, or manifests of recordings and "
            "of supervisions; it is not: name all files, or their directory."
        )
    for file, manifest in loaded:
        if isinstance(manifest, SupervisionSet):
            said = ((one, recordings.get(one.recording_id), 0.0) for one in manifest)
        elif isinstance(manifest, CutSet):
            said = (
                (one, getattr(cut, "recording", None), getattr(cut, "start", 0.0))
                for cut in manifest
                for one in cut.supervisions
            )
        else:
            continue
        for one, recording, start in said:
            values, defect = _values(one, recording, start), _defect(one, recording)
            yield Record(f"{file}: {one.id}", (file.name,), Path(), values, defect)


def _load(file: Path) -> Any:  # noqa: ANN401
    from lhotse.serialization import load_manifest

    try:
        return load_manifest(file)
    except Exception as error:  # its readers raise what the first broken line does
        raise InputError(
            f"{file}: must be a manifest that lhotse reads; {error or 'it is none'}: "
            "write it again by lhotse."
        ) from error


def _values(one: Any, recording: Any, start: float) -> dict[str, object]:  # noqa: ANN401
    said = {
        "id": one.id,
        "audio": _audio(recording),
        "text": one.text,
        "speaker": one.speaker,
        "language": one.language,
        "start": start + one.start,
        "duration": one.duration,
    }
    return {**(one.custom or {}), **said}


def _defect(one: Any, recording: Any) -> str:  # noqa: ANN401
    """Return why the file of a recording is not what was said, or nothing."""
    if recording is None:
        return ""
    channels = 1 if isinstance(one.channel, int) else len(one.channel)
    if channels < recording.num_channels:
        return "one of several channels"
    changes = [type(change).__name__ for change in recording.transforms or ()]
    return next((f"changed by {name}" for name in changes if name != RESAMPLE), "")


def _audio(recording: Any) -> str:  # noqa: ANN401
    """Return the file, or the command, of a recording; "" unless it has just one."""
    if recording is None or len(recording.sources) != 1:
        return ""
    (source,) = recording.sources
    return KINDS.get(source.type, "").format(source.source)


FORMAT = Format(read, columns(*FIELDS), package=("lhotse", "lhotse"))

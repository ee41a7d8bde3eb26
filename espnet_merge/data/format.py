"""Write a data directory with one file in Whisper's format for each utterance."""

from pathlib import Path

from espnet_merge.data.kaldi import (
    DEFECTS,
    check_columns,
    of_utterances,
    read_kaldi,
    write_tables,
)
from espnet_merge.data.recordings import AUDIO, Clip, by_recording, extract, of_clips
from espnet_merge.data.report import Report
from espnet_merge.disk.atomic import whole_directory


def format_data(data: Path, output: Path) -> Report:
    """Write ``data`` with segments cut, commands run and audio converted.

    No utterance is dropped. One without usable audio gets ``None`` in ``wav.scp`` and
    the reason in ``utt2defect``.

    Args:
        data: directory with ``wav.scp``, ``utt2lang`` and, optionally, ``text`` and
            ``segments``.
        output: new directory; converted audio is in its ``data/``.

    Raises:
        InputError: the directory is broken, or no recording is usable.
    """
    tables = read_kaldi(data, with_texts=False)
    check_columns(data, tables)
    recordings = by_recording(data, tables)
    known = tables.pop(DEFECTS, {})
    clips: dict[str, Clip] = {}
    with whole_directory(output) as part:
        for audio, parts in recordings.items():
            clips |= extract(audio, parts, part / AUDIO, output / AUDIO)
        for name, why in known.items():
            if name in clips and clips[name].defect:
                clips[name] = clips[name]._replace(defect=why)
        report = Report.of(
            {name: clip.defect or clip.samples for name, clip in clips.items()}
        )
        report.check(data)
        lengths = {name: str(clip.samples) for name, clip in clips.items()}
        written = {
            **of_utterances(tables),
            **of_clips(clips),
            "utt2num_samples": lengths,
        }
        write_tables(written, part)
    return report

"""Raw results as the Open ASR Leaderboard reads them: a line of JSON an utterance."""

import json
from pathlib import Path

from espnet_merge.data.audio import AudioError, whisper_length
from espnet_merge.data.table import read_table
from espnet_merge.disk.atomic import whole_file
from espnet_merge.errors import InputError
from espnet_merge.files import WAV_SCP
from espnet_merge.score.utterances import read_utterances
from espnet_merge.speech import SAMPLE_RATE


def write_manifest(
    reference: Path, hypothesis: Path, model: str, dataset: str | None = None
) -> Path:
    """Write references, hypotheses and durations, not normalised, in one file.

    Source: ``write_manifest`` of the leaderboard's repository, whose scorer finds model
    and set in the name of the file. The time that an utterance took is null, for
    decoding does not note it, so that no RTFx follows.

    Args:
        reference: Kaldi data directory.
        hypothesis: directory with ``text``; the file is written there.
        model: OWNER/NAME.
        dataset: name of the set for the leaderboard, as ``librispeech_test.clean``;
            None for that of the directory.

    Raises:
        InputError: the model is not OWNER/NAME, or ids differ.
    """
    owner, slash, name = model.partition("/")
    if not (owner and slash and name) or "/" in name:
        raise InputError(
            f"--leaderboard must be OWNER/NAME, a model of the hub; got {model!r}."
        )
    set_name = (dataset or reference.resolve().name).replace("/", "-")
    path = hypothesis / f"MODEL_{owner}-{name}_DATASET_{set_name}.jsonl"
    wavs = reference / WAV_SCP
    audio = read_table(wavs) if wavs.is_file() else {}
    with whole_file(path) as part, part.open("w", encoding="utf-8") as file:
        for utterance in read_utterances(reference, hypothesis):
            line = {
                "audio_filepath": utterance.name,
                "duration": _seconds(audio.get(utterance.name, "")),
                "time": None,
                "text": utterance.reference,
                "pred_text": utterance.hypothesis,
            }
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return path


def _seconds(audio: str) -> float | None:
    try:
        return whisper_length(Path(audio)) / SAMPLE_RATE
    except AudioError:
        return None

"""The texts of a model that is in memory, as ``decode`` would write them."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from espnet_merge.decode.recognize import Recognizer
from espnet_merge.decode.record import DecodedSegment, utterance_record
from espnet_merge.decode.torch_backend import TorchBackend
from espnet_merge.decode.utterances import Utterance


def records_of(
    backend: TorchBackend,
    utterances: Sequence[Utterance],
    batches: Sequence[Sequence[Utterance]],
) -> dict[str, dict[str, Any]]:
    """Return the record of each utterance in ``text.json``, by name.

    Args:
        backend: the model, and how it decodes.
        utterances: whole.
        batches: their segments, as they are decoded together.
    """
    recognizer = Recognizer(backend)
    segments: defaultdict[str, list[DecodedSegment]] = defaultdict(list)
    for batch in batches:
        for segment in recognizer(batch):
            segments[segment.audio.name].append(segment)
    timestamps = backend.settings.timestamps
    return {
        one.name: utterance_record(
            one, segments[one.name], backend.tokenizer, timestamps=timestamps
        )
        for one in utterances
    }


def texts_of(
    backend: TorchBackend,
    utterances: Sequence[Utterance],
    batches: Sequence[Sequence[Utterance]],
) -> dict[str, str]:
    """Return the text of each utterance, by name; arguments as of ``records_of``."""
    records = records_of(backend, utterances, batches)
    return {name: record["text"] for name, record in records.items()}

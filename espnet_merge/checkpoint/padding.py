"""How long the audio was that a model was trained on, by what its files say.

A model reads what it was trained on: speech padded to Whisper's window of 30 s, or at
true length with some silence after it. Elsewhere it may loop.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from espnet_merge.checkpoint.espnet import read_config
from espnet_merge.files import CONFIG_YAML, EXPORT_YAML, FETCH_JSON, MERGE_YAML

KEY = "trained"  # in merge.yaml and in the mode of hypotheses


class Padding(NamedTuple):
    """Silence after an utterance, in seconds.

    Attributes:
        pad_to: to which it is padded; 30 is Whisper's window, 0 the true length.
        tail: of silence after each utterance, before it is padded.
    """

    pad_to: float
    tail: float

    def __str__(self) -> str:
        """In words.

        >>> print(Padding(0, 4)); print(Padding(30, 0))
        true length, 4 s of silence after it
        padded to 30 s
        """
        length = f"padded to {self.pad_to:g} s" if self.pad_to else "true length"
        return length + (f", {self.tail:g} s of silence after it" if self.tail else "")


PUBLISHED = Padding(30.0, 0.0)  # Whisper's own


def padding_in(record: Mapping[str, Any]) -> Padding | None:
    """Return what a record of a training says; None where it says nothing."""
    if not record.keys() >= set(Padding._fields):
        return None
    return Padding(*(float(record[name]) for name in Padding._fields))


def padding_of(model: Path) -> Padding | None:
    """Return how a model was trained.

    Args:
        model: directory or file of a model or adapter.

    Returns:
        None where no file of ours says so, as of Whisper itself.
    """
    directory = model if model.is_dir() else model.parent
    if (directory / MERGE_YAML).is_file():
        merged = read_config(directory / MERGE_YAML)
        # An older version noted no more than of which experts.
        paths = [Path(expert["path"]) for expert in merged.get("experts", ())]
        there = [path for path in paths if path.exists()]
        return padding_in(merged.get(KEY) or {}) or common_padding(there)
    if (directory / EXPORT_YAML).is_file():
        export = read_config(directory / EXPORT_YAML)
        # An older version noted no more than where the training was.
        training = Path(str(export.get("checkpoint"))).parent / CONFIG_YAML
        return padding_in(export) or padding_in(read_config(training))
    if model.is_file():
        return padding_in(read_config(directory / CONFIG_YAML))
    return padding_in(read_config(directory / FETCH_JSON))


def common_padding(models: Sequence[Path]) -> Padding | None:
    """Return how models that work together, or become one, were trained.

    Returns:
        Whisper's own where they differ; None where no file says anything.
    """
    found = {padding_of(model) for model in models}
    if not found - {None}:
        return None
    return found.pop() if len(found) == 1 else PUBLISHED

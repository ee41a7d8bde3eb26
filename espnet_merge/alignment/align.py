"""Find the alignment heads of a model, and write them where generate looks."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from numpy.typing import NDArray

from espnet_merge.alignment.attention import (
    Attention,
    attention_of,
    filtered,
    open_model,
)
from espnet_merge.alignment.choose import (
    Aligned,
    boundary_errors,
    by_reference,
    by_sharpness,
    sharpness,
)
from espnet_merge.alignment.words import Word, last_tokens, summary
from espnet_merge.checkpoint.hf import read_json
from espnet_merge.disk.atomic import whole_file
from espnet_merge.errors import InputError
from espnet_merge.files import GENERATION_JSON
from espnet_merge.statistics.utterances import read_targets
from espnet_merge.whisper.prompt import load_tokenizer

if TYPE_CHECKING:
    from transformers import WhisperForConditionalGeneration, WhisperTokenizer

KEY = "alignment_heads"
type Heads = list[tuple[int, int]]  # layer and head


@dataclass(frozen=True)
class AlignmentHeads:
    """The heads that were found.

    Attributes:
        heads: layer and head, the best first.
        before: those that the model named; None if it named none.
        utterances: number of utterances that they were chosen on.
        left_out: utterance -> why it was of no use.
        errors: heads in words -> errors of word boundaries, with a reference.
    """

    heads: Heads
    before: Heads | None
    utterances: int
    left_out: Mapping[str, str]
    errors: Mapping[str, Mapping[str, float]]

    def __repr__(self) -> str:
        lines = [f"{KEY}: {[list(head) for head in self.heads]}"]
        lines.append(f"chosen on {self.utterances} utterances")
        lines += [f"left out: {name}: {why}" for name, why in self.left_out.items()]
        for name, numbers in self.errors.items():
            told = ", ".join(
                f"{key} {value:.0f}{'' if 'within' in key else ' ms'}"
                + ("%" if "within" in key else "")
                for key, value in numbers.items()
            )
            lines.append(f"word boundaries {name}: {told}")
        return "\n".join(lines)


def find_heads(
    model: Path, data: Path, reference: Mapping[str, list[Word]] | None, most: int
) -> AlignmentHeads:
    """Choose the alignment heads of a model on a data directory.

    Args:
        model: Hugging Face Whisper directory.
        data: Kaldi data directory with texts.
        reference: utterance -> its words; None chooses without.
        most: heads to choose at most.

    Raises:
        InputError: bad data, or no utterance fits the reference.
    """
    tokenizer, whisper = load_tokenizer(model), open_model(model)
    left_out: dict[str, str] = {}
    scores: list[NDArray[np.floating]] = []
    aligned: list[Aligned] = []
    for found in _attentions(whisper, tokenizer, data):
        if reference is None:
            scores.append(sharpness(found.weights))
            continue
        last = last_tokens(tokenizer, found.ids)
        words = reference.get(found.name, [])
        if len(words) != len(last):
            left_out[found.name] = (
                f"{len(last)} words in its text, {len(words)} in the reference"
            )
            continue
        maps = filtered(found.weights, whisper.config.median_filter_width)
        aligned.append(Aligned(maps, last, words))
    if reference is not None and not aligned:
        raise InputError(
            f"{data}: the reference must have the words of some text; it has of none: "
            "write a line for each word of a text, in the order of the text."
        )
    chosen = by_sharpness(scores, most) if scores else by_reference(aligned, most)
    return _result(whisper, model, chosen, aligned, left_out, len(scores))


def _result(
    whisper: "WhisperForConditionalGeneration",
    model: Path,
    chosen: Sequence[int],
    aligned: Sequence[Aligned],
    left_out: Mapping[str, str],
    unaligned: int,
) -> AlignmentHeads:
    width = whisper.config.decoder_attention_heads
    named = read_json(model / GENERATION_JSON) if _has_generation(model) else {}
    before = [(layer, head) for layer, head in named.get(KEY) or []] or None
    told = {}
    if aligned:
        if before:
            old = [layer * width + head for layer, head in before]
            told["before"] = summary(boundary_errors(aligned, old))
        told["after"] = summary(boundary_errors(aligned, chosen))
    heads = [divmod(head, width) for head in chosen]
    return AlignmentHeads(heads, before, len(aligned) or unaligned, left_out, told)


def _attentions(
    whisper: "WhisperForConditionalGeneration",
    tokenizer: "WhisperTokenizer",
    data: Path,
) -> Iterator[Attention]:
    for target in read_targets(data, tokenizer, whisper.config.max_target_positions):
        audio, _ = soundfile.read(target.utterance.audio, dtype="float32")
        yield attention_of(whisper, target, audio)


def _has_generation(model: Path) -> bool:
    return (model / GENERATION_JSON).is_file()


def write_heads(model: Path, heads: Heads) -> None:
    """Write the heads into generation_config.json; its other keys stay as they are."""
    path = model / GENERATION_JSON
    content = read_json(path) if path.is_file() else {}
    # With this key transformers would ignore the rest of the file.
    content.pop("_from_model_config", None)
    content[KEY] = [list(head) for head in heads]
    with whole_file(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

"""The same utterances by the runtime of a format and by us, side by side."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from espnet_merge.decode.expert import load_expert
from espnet_merge.decode.recognize import Recognizer
from espnet_merge.decode.record import text_of
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.torch_backend import TorchBackend
from espnet_merge.decode.utterances import Utterance, evenly_spaced, read_utterances
from espnet_merge.errors import InputError
from espnet_merge.export.format import MAX_NEW_TOKENS, Format, Source
from espnet_merge.speech import WINDOW
from espnet_merge.whisper.fetched import languages_of
from espnet_merge.whisper.prompt import load_tokenizer

COUNT = 10


class Pair(NamedTuple):
    """The texts of an utterance, each in one line."""

    name: str
    ours: str
    theirs: str


@dataclass(frozen=True, repr=False)
class Checked:
    """What two runtimes made of the same utterances.

    Attributes:
        runtime: name and version of the other.
        pairs: of each utterance.
    """

    runtime: str
    pairs: list[Pair]

    @property
    def differing(self) -> list[Pair]:
        """The utterances whose texts differ."""
        return [pair for pair in self.pairs if pair.ours != pair.theirs]

    def __repr__(self) -> str:
        """A line for all, and three for each utterance whose texts differ."""
        differing, count = self.differing, len(self.pairs)
        head = f"{self.runtime} and espnet_merge: {count - len(differing)} of {count}"
        lines = [f"{head} texts are equal"]
        width = max(len(self.runtime), len("espnet_merge"))
        for name, ours, theirs in differing:
            lines += [
                name,
                f"  {'espnet_merge':{width}}  {ours}",
                f"  {self.runtime:{width}}  {theirs}",
            ]
        return "\n".join(lines)


def utterances_of(data: Path, model: Path) -> list[Utterance]:
    """Return ten utterances of a data directory, evenly spaced, of at most 30 s.

    Raises:
        InputError: the directory is broken, or holds nothing that the model can decode.
    """
    known = languages_of(model)
    found = [
        utterance
        for utterance in read_utterances(data, known=known, whole_set=True)
        if not utterance.defect and utterance.seconds <= WINDOW
    ]
    if not found:
        raise InputError(
            f"{data}: --check needs an utterance of 0.02 to {WINDOW:g} s; there is"
            " none: give another directory."
        )
    return evenly_spaced(found, COUNT)


def check(
    kind: Format, directory: Path, source: Source, utterances: list[Utterance]
) -> Checked:
    """Decode the exported model in its runtime, and the source here, likewise.

    Both search greedily for a text without timestamps, in the language and for the task
    of the utterance, of audio padded to 30 s; neither draws a failed text again.

    Args:
        kind: of what was exported.
        directory: where that is.
        source: what it was made of.
        utterances: to decode.
    """
    theirs = texts_there(kind, directory, source, utterances)
    ours = texts_here(source, utterances)
    names = [utterance.name for utterance in utterances]
    return Checked(
        str(kind.runtime), [Pair(name, ours[name], theirs[name]) for name in names]
    )


def texts_there(
    kind: Format, directory: Path, source: Source, utterances: list[Utterance]
) -> dict[str, str]:
    """Return what the runtime of a format makes of each utterance."""
    transcribe = kind.load(directory, source)
    return {one.name: " ".join(transcribe(one).split()) for one in utterances}


def texts_here(source: Source, utterances: list[Utterance]) -> dict[str, str]:
    """Return what we make of each utterance, of a language that has one its adapter."""
    tokenizer = load_tokenizer(source.model)
    settings = Settings(max_new_tokens=MAX_NEW_TOKENS)
    texts: dict[str, str] = {}
    for name in {source.adapter_of(utterance.language) for utterance in utterances}:
        adapter = None if name is None else source.adapters[name]
        whisper = load_expert(source.model, adapter)
        recognize = Recognizer(TorchBackend(whisper, tokenizer, settings))
        for utterance in utterances:
            if source.adapter_of(utterance.language) == name:
                (segment,) = recognize([utterance])
                tokens = segment.hypothesis.tokens
                texts[utterance.name] = text_of(tokenizer, tokens)
    return texts

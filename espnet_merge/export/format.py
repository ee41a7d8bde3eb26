"""What each format is asked for: to be written, and to be decoded by its runtime."""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from espnet_merge.checkpoint.opened import Checkpoint
from espnet_merge.decode.utterances import Utterance
from espnet_merge.errors import InputError

# Whisper's own limit: half of the positions of its decoder.
MAX_NEW_TOKENS = 224
# Rows of the published vocabularies: English alone, of many languages, large-v3.
PUBLISHED = (51864, 51865, 51866)

type Transcriber = Callable[[Utterance], str]


class Source(NamedTuple):
    """What is exported.

    Attributes:
        model: Hugging Face directory of a whole Whisper, with all that ``generate``
            needs.
        adapters: name -> PEFT directory, of adapters on that model. One adapter alone
            has an empty name; names of several are languages.
        given: the model where the user has it, of which others know the name.
    """

    model: Path
    adapters: Mapping[str, Path]
    given: Path = Path()

    def adapter_of(self, language: str) -> str | None:
        """Return the name of the adapter that decodes a language; None: the model."""
        return next((name for name in (language, "") if name in self.adapters), None)


class Runtime(NamedTuple):
    """What decodes a format where it is used.

    Attributes:
        package: name in the package index.
        module: what it is imported as.
        extra: of espnet_merge, which installs it; empty: it is always there.
    """

    package: str
    module: str
    extra: str = ""

    def __str__(self) -> str:
        return f"{self.package} {version(self.package)}"

    def check(self, what: str) -> None:
        """Raise ``InputError`` where the package that ``what`` needs is missing."""
        if importlib.util.find_spec(self.module) is None:
            raise InputError(
                f"{what} needs the package {self.package}; it is not installed: pip"
                f" install 'espnet_merge[{self.extra}]'."
            )


@dataclass(frozen=True)
class Format:
    """A format and its runtime.

    Attributes:
        dtypes: types of the weights that it may hold; None stands for those of the
            source. The first is the default.
        runtime: decodes it.
        write: writes the source into a directory that exists.
        load: returns what decodes an utterance as the runtime does: greedily, in its
            language and task, without timestamps, padded to 30 s.
        writer: package that writes it, where there is one.
        folded: whether it holds a whole model, so that an adapter must be folded in.
    """

    dtypes: tuple[str | None, ...]
    runtime: Runtime
    write: Callable[[Source, Path, str | None], None]
    load: Callable[[Path, Source], Transcriber]
    writer: Runtime | None = None
    folded: bool = True


def check_published(model: Checkpoint, name: str) -> None:
    """Raise ``InputError`` where a runtime would take a model for another.

    It counts special tokens from the end of the vocabulary, so that one more in the
    middle shifts them, and knows one width of the feed-forward layers.

    Args:
        model: to be exported.
        name: of the format.
    """
    rows, width = model.entries["model.decoder.embed_tokens.weight"].shape
    if rows not in PUBLISHED:
        raise InputError(
            f"{model.path}: --to {name} needs one of Whisper's vocabularies, of"
            f" {', '.join(map(str, PUBLISHED))} tokens; it has {rows}, and the runtime"
            " would take tokens for others: use --to hf, ctranslate2 or onnx."
        )
    for tensor, entry in model.entries.items():
        if tensor.endswith(".fc1.weight") and entry.shape[0] != 4 * width:
            raise InputError(
                f"{model.path}: --to {name} needs feed-forward layers of 4 x {width};"
                f" {tensor} has {entry.shape[0]}: use --to hf, ctranslate2 or onnx."
            )

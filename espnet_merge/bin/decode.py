r"""Transcribe (or translate) a Kaldi data directory with a Whisper.

Writes `text` (Kaldi) and `text.json` (settings, and for each utterance its score,
language, repeats) into the output directory. Several data directories, with as many
outputs, are decoded by one loaded model. A killed run is resumed by the same command.
Each job of an array takes a --shard, and the same command without --shard joins the
parts. Recordings longer than 30 s are cut where nobody speaks; the texts of the
segments are joined.

For example:
  espnet-merge decode --model exp/tsv_m/model --data dump/raw/es_test \
    --output exp/tsv_m/inference_as_trained/es_test

Recordings must be of 16 kHz and one channel; 'espnet-merge format' converts others.
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
from espnet_merge.whisper.source import model_option

if TYPE_CHECKING:
    from espnet_merge.decode.decoded import Decoded


@dataclass(frozen=True, kw_only=True)
class Command(Settings):
    """Transcribe, or translate, Kaldi data directories with a Whisper.

    A finished decoding with the same settings is left as it is; a killed one is
    resumed.

    Returns:
        The directories, the ``texts`` of their utterances, and their ``records``:
        text, score, language, repeats.

    Raises:
        InputError: data or model are bad, an option has a bad value, or there are
            hypotheses made with other settings.

    Example:
        >>> import espnet_merge as em
        >>> decoded = em.decode(
        ...     model="exp/base",
        ...     data=["dump/raw/es_test"],
        ...     output=["exp/zero_shot/es_test"],
        ...     max_new_tokens=5,
        ... )
        >>> sorted(decoded.texts)
        ['es-hello-world', 'es-privacy-thankyou']
        >>> decoded.records["es-hello-world"]["language"]
        'es'
    """

    model: Annotated[
        AnyPath,
        model_option("Whisper: Hugging Face or CTranslate2 directory, or OpenAI's .pt"),
    ]
    adapter: Annotated[
        AnyPath | None,
        model_option("LoRA adapter or mixture, trained on that model"),
    ] = None
    adapters: Annotated[
        Mapping[str, AnyPath] | None,
        model_option(
            "an adapter, or a mixture, for each language or for each name of --router, "
            "whose utterances go into one batch",
            metavar="NAME=DIR",
            nargs="+",
            read=pairs,
        ),
    ] = None
    router: Annotated[
        AnyPath | None,
        Option(
            "directory of a router, by 'espnet-merge router': it chooses the adapter, "
            "and not the language",
            metavar="DIR",
        ),
    ] = None
    fallback: Annotated[
        AnyPath | None,
        model_option(
            "what decodes utterances of other names, or below --min-confidence: the "
            "model alone, one of --adapters, or another adapter",
            metavar="none|NAME|DIR",
            read=str,
        ),
    ] = None
    data: Annotated[
        Sequence[AnyPath],
        Option("Kaldi data directories with wav.scp", metavar="DATADIR"),
    ]
    output: Annotated[
        Sequence[AnyPath],
        Option(
            "directories for text and text.json, one for each --data", metavar="DIR"
        ),
    ]
    config: Annotated[
        AnyPath | None,
        Option(
            "YAML file with settings; options given here override it", file=Settings
        ),
    ] = None
    overwrite: Annotated[
        bool,
        Option(
            "replace hypotheses made with other settings (those with the same settings "
            "are kept, unless the content of the model has changed)"
        ),
    ] = False
    shard: Annotated[
        str | None,
        Option(
            "decode part I of N and save it in --output, for job arrays; a run without "
            "--shard then writes the hypotheses",
            metavar="I/N",
        ),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.adapters is None:
            if {self.fallback, self.min_confidence, self.router} != {None}:
                raise InputError(
                    "--fallback, --min-confidence and --router need --adapters to "
                    "choose from: add --adapters, or drop the others."
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
                "--output must name a different directory for each --data; got "
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
            self.adapters,
            self.fallback,
            settings,
            known,
            Path(self.router) if self.router else None,
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
        """Print a note if the padding differs from that of the training."""
        if self.padding == (trained or PUBLISHED):
            return
        source = "by its record" if trained else "as Whisper; there is no record"
        first, *others = experts(vars(self))
        more = f" and {len(others)} more" if others else ""
        print(
            f"espnet-merge decode: note: {first}{more}: trained {trained or PUBLISHED}"
            f" ({source}), decoded {self.padding}: it may loop.",
            file=sys.stderr,
        )


decode = function(Command, "decode")


def main(command: Command) -> None:
    """Decode."""
    command()

"""Options shared by the commands that try merges on development data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from espnet_merge.bin._merging import Models
from espnet_merge.checkpoint.padding import PUBLISHED, Padding, common_padding
from espnet_merge.decode.settings import Settings
from espnet_merge.errors import InputError
from espnet_merge.options import AnyPath, Option, build, read_yaml


@dataclass(frozen=True, kw_only=True)
class Development(Models):
    """What merges are tried on, and how."""

    data: Annotated[
        Sequence[AnyPath],
        Option("development sets of what the merge is for", metavar="DATADIR"),
    ]
    decode_config: Annotated[
        AnyPath | None,
        Option(
            "YAML with options of 'espnet-merge decode'",
            default="its defaults, padding as the experts were trained",
            metavar="FILE",
        ),
    ] = None

    def decoding(
        self, device: str, models: Sequence[AnyPath] | None = None
    ) -> Settings:
        """Return how the sets are decoded, by models; None for the experts."""
        file = self.decode_config
        given = read_yaml(Settings, Path(file)) if file else {}
        trained = [Path(model) for model in models or self.experts]
        padding = common_padding(trained) or PUBLISHED
        own = {} if given.keys() & set(Padding._fields) else padding._asdict()
        settings = build(Settings, {**own, **given, "device": device})
        if settings.backend != "torch":
            raise InputError(
                f"{file}: merges are tried in memory, where backend"
                f" {settings.backend} does not look; take backend torch."
            )
        return settings

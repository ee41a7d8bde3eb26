"""Options of giving advice."""

from dataclasses import dataclass
from typing import Annotated

from espnet_merge.options import Option, Options
from espnet_merge.score.normalize import NORMALIZERS


@dataclass(frozen=True, kw_only=True)
class AdviceSettings(Options):
    """What is tried, and how long."""

    method: Annotated[
        str,
        Option(
            "merge that is tried; see 'espnet-merge methods', where soup is among the"
            " cheapest, and tsv_m takes half a minute of a Whisper base",
            metavar="NAME",
        ),
    ] = "soup"
    seconds: Annotated[
        float,
        Option("CPU seconds of the whole trial; they say how much is decoded", least=1),
    ] = 120.0
    utterances: Annotated[
        int | None,
        Option(
            "decode so many of each set, however long it takes",
            default="as many as --seconds allow, at least 1",
            least=1,
        ),
    ] = None
    normalizer: Annotated[
        str, Option("as for 'espnet-merge score'", choices=tuple(NORMALIZERS))
    ] = "basic"

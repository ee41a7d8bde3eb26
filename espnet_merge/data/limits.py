"""What an utterance must keep to, so that Whisper can use it."""

from dataclasses import dataclass
from typing import Annotated

from espnet_merge.errors import InputError
from espnet_merge.options import Option, Options


@dataclass(frozen=True, kw_only=True)
class Limits(Options):
    """What an utterance must keep to.

    Raises:
        InputError: a limit is out of range, or they leave no room.
    """

    min_seconds: Annotated[float, Option("shorter audio is dropped")] = 0.1
    max_seconds: Annotated[
        float, Option("longer audio is dropped; Whisper hears 30 s")
    ] = 30.0
    max_tokens: Annotated[
        int,
        Option("longer texts are dropped, prompt and end included", least=1, most=448),
    ] = 448
    max_utterances: Annotated[
        int | None,
        Option("keep so many of those that are usable", default="all", least=1),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.min_seconds < self.max_seconds <= 30:
            raise InputError(
                "--min-seconds and --max-seconds must be 0 <= min < max <= 30, as "
                f"Whisper hears 30 s; got {self.min_seconds:g}, {self.max_seconds:g}."
            )

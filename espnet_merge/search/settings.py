"""Options of a search."""

from dataclasses import dataclass
from typing import Annotated, Literal

from espnet_merge.errors import InputError
from espnet_merge.options import Option, Options
from espnet_merge.score.normalize import NORMALIZERS


@dataclass(frozen=True, kw_only=True)
class SearchSettings(Options):
    """What is searched for, and how long.

    Raises:
        InputError: a value is out of range, or does not suit the objective.
    """

    objective: Annotated[
        Literal["wer", "loss"],
        Option(
            "wer: decode, and score by the main metric of each set; loss: of the"
            " references, given them, which needs no decoding"
        ),
    ] = "wer"
    check: Annotated[
        int,
        Option(
            "of objective loss: also decode so many of the best trials, and the first,"
            " and take the best of these",
            least=0,
        ),
    ] = 0
    normalizer: Annotated[
        str, Option("as for 'espnet-merge score'", choices=tuple(NORMALIZERS))
    ] = "basic"
    trials: Annotated[
        int, Option("trials in all, those of earlier calls included", least=1)
    ] = 50
    minutes: Annotated[
        float | None,
        Option("begin no trial after so many minutes", default="no limit", least=0),
    ] = None
    seed: Annotated[int, Option("random seed of the sampler", least=0)] = 0
    sampler: Annotated[
        Literal["tpe", "nsga2", "grid"],
        Option(
            "what proposes, by Optuna's name; grid: a full grid of at most --trials,"
            " the first included"
        ),
    ] = "tpe"
    utterances: Annotated[
        int | None,
        Option(
            "number of utterances of each set, evenly spaced, to try merges on",
            default="all",
            least=1,
        ),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.check and self.objective != "loss":
            raise InputError(
                "check is of objective loss; got objective wer, which decodes every"
                " trial: leave check out."
            )

"""Options of learning coefficients by gradient."""

from dataclasses import dataclass
from typing import Annotated, Literal

from espnet_merge.options import Option, Options


@dataclass(frozen=True, kw_only=True)
class LearnSettings(Options):
    """What is learned, from what, and how long."""

    objective: Annotated[
        Literal["loss", "entropy"],
        Option(
            "loss: of the references, given them; entropy: of what the decoder predicts"
            " after texts that the first merge decoded, which needs no references"
        ),
    ] = "loss"
    groups: Annotated[
        Literal["model", "layer", "tensor"],
        Option("what has a weight of its own for each expert"),
    ] = "layer"
    first: Annotated[
        float | None,
        Option("weight of each expert at the start", default="1 over their number"),
    ] = None
    steps: Annotated[int, Option("steps of Adam", least=1)] = 300
    lr: Annotated[
        float,
        Option("learning rate of the first step; it falls linearly to 0", least=0),
    ] = 0.01
    step_size: Annotated[
        int, Option("utterances of each set in a step", least=1, metavar="N")
    ] = 8
    seed: Annotated[int, Option("of the order of the utterances", least=0)] = 0

"""What to collect of an expert's data, and how."""

from dataclasses import dataclass
from typing import Annotated, Literal

from espnet_merge.decode.settings import ForwardPass
from espnet_merge.errors import InputError
from espnet_merge.options import Option
from espnet_merge.speech import Task

# Utterances in one forward pass. The Fisher squares each utterance's own gradient.
BATCH_SIZES = {"fisher": 1, "gram": 8}


@dataclass(frozen=True, kw_only=True)
class StatisticsSettings(ForwardPass):
    """What to collect.

    Raises:
        InputError: a value is out of range, or does not suit the kind.
    """

    kind: Annotated[
        Literal["fisher", "gram"],
        Option("fisher: for --method fisher; gram: for --method regmean"),
    ]
    labels: Annotated[
        Literal["reference", "model"],
        Option("with --kind fisher: gradients for the texts, or for sampled tokens"),
    ] = "reference"
    batch_size: Annotated[
        int | None,
        Option("with --kind gram: utterances in one pass", default="8", least=1),
    ] = None
    utterances: Annotated[
        int | None,
        Option("take at most so many, at equal distances", default="all", least=1),
    ] = None
    language: Annotated[
        str | None, Option("of all utterances", default="each one's in utt2lang")
    ] = None
    task: Annotated[
        Task | None,
        Option("of all utterances", default="each one's in utt2task"),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind == "fisher" and self.size > 1:
            raise InputError(
                f"batch_size must be 1 for fisher, which squares the gradient of each"
                f" utterance; got {self.size}: leave it out."
            )
        if self.kind == "gram" and self.labels != "reference":
            raise InputError(
                f"labels are of the fisher, a gram needs none; got {self.labels}: leave"
                " it out."
            )

    @property
    def size(self) -> int:
        """Utterances in one forward pass."""
        return self.batch_size or BATCH_SIZES[self.kind]

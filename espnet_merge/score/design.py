"""What is compared, and how the differences are tested: the options of both."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from espnet_merge.errors import InputError
from espnet_merge.options import AnyPath, Option, Options
from espnet_merge.score import RESAMPLES
from espnet_merge.score.evaluate import METRICS
from espnet_merge.score.normalize import NORMALIZERS

if TYPE_CHECKING:
    from espnet_merge.score.bootstrap import Rates
    from espnet_merge.score.parts import Part


@dataclass(frozen=True, kw_only=True)
class Texts(Options):
    """What is compared."""

    ref: Annotated[
        Sequence[AnyPath],
        Option(
            "Kaldi data directories of the test sets: text, utt2lang",
            metavar="DATADIR",
        ),
    ]
    metric: Annotated[
        str | None,
        Option(
            "what is measured",
            default="cer for languages without spaces between words, else wer",
            choices=METRICS,
        ),
    ] = None
    normalizer: Annotated[
        str, Option("as of 'espnet-merge score'", choices=tuple(NORMALIZERS))
    ] = "basic"
    unit: Annotated[
        Literal["utterance", "speaker"], Option("what is drawn and swapped whole")
    ] = "utterance"

    def read[P](
        self, read_set: Callable[..., list[P]], systems: Sequence[Path]
    ) -> list[P]:
        """Return what ``read_set`` makes of all sets.

        Args:
            read_set: ``read_parts`` or ``read_translations``.
            systems: directories with the hypotheses of every set.

        Raises:
            InputError: two sets have one name, or hypotheses are missing or do not fit.
        """
        references = [Path(reference) for reference in self.ref]
        names = [reference.absolute().name for reference in references]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"--ref names a set once; {name} is named again.")
        alone = len(names) == 1
        return [
            part
            for reference, name in zip(references, names, strict=True)
            for part in read_set(
                reference,
                [
                    system if alone and (system / "text").exists() else system / name
                    for system in systems
                ],
                self.normalizer,
                self.metric,
                by_speaker=self.unit == "speaker",
            )
        ]


@dataclass(frozen=True, kw_only=True)
class Design(Options):
    """How differences are tested.

    ``sides`` and ``margin`` are no options: 2 sides ask whether rates differ, 1 whether
    one is higher by more than the margin, in points.
    """

    alpha: Annotated[
        float, Option("level of significance; intervals cover 1 - A", metavar="A")
    ] = 0.05
    resamples: Annotated[
        int, Option("resamples of bootstrap and permutation", metavar="N")
    ] = RESAMPLES
    seed: Annotated[
        int, Option("random seed of bootstrap and permutation", metavar="N")
    ] = 0
    sides: Literal[1, 2] = 2
    margin: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seed < 0:
            raise InputError(f"seed must be >= 0; got {self.seed}.")

    def draw(self, part: "Part") -> "Rates":
        """Return the systems' resampled rates: of the seed and the part's name."""
        from espnet_merge.score.bootstrap import resampled_rates

        seed = self.seeds(part.name, part.metric)
        return resampled_rates(part.errors, part.tokens, self.resamples, seed)

    def seeds(self, name: str, metric: str) -> list[int]:
        """Return the seed of a part, so that no two parts are drawn alike."""
        return [self.seed, zlib.crc32(f"{name} {metric}".encode())]

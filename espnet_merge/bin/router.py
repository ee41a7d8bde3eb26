r"""Train a router, a classifier that chooses the expert of an utterance by its audio.

The router is a linear map of the mean of the frozen base's encoder states. It chooses
between the names of --train: languages, domains of one language, or both. Writes
router.safetensors, and router.json with the confusion of the held-out utterances. Use
the router with 'espnet-merge decode --adapters NAME=DIR ... --router DIR'.

For example:
  espnet-merge router --model exp/base --output exp/router \
    --train en_phone=dump/raw/en_phone_train en_tv=dump/raw/en_tv_train \
    --valid en_phone=dump/raw/en_phone_valid en_tv=dump/raw/en_tv_valid
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espnet_merge.decode.settings import ForwardPass, Settings, pairs
from espnet_merge.files import ROUTER_JSON
from espnet_merge.options import AnyPath, Option, declared
from espnet_merge.whisper.source import model_option

if TYPE_CHECKING:
    from espnet_merge.decode.train_router import Trained


@dataclass(frozen=True, kw_only=True)
class Command(ForwardPass):
    """Train a router between experts."""

    model: Annotated[
        AnyPath,
        model_option("base of the experts: Whisper directory, or OpenAI's .pt"),
    ]
    train: Annotated[
        Mapping[str, AnyPath],
        Option(
            "names to choose between, with a Kaldi data directory for each",
            metavar="NAME=DATADIR",
            nargs="+",
            read=pairs,
        ),
    ]
    valid: Annotated[
        Mapping[str, AnyPath],
        Option(
            "the same names, with held-out data to test the router on",
            metavar="NAME=DATADIR",
            nargs="+",
            read=pairs,
        ),
    ]
    output: Annotated[AnyPath, Option("directory to write", metavar="DIR")]
    overwrite: Annotated[bool, Option("replace an older one in --output")] = False
    c: Annotated[
        float,
        Option("inverse of the strength of the L2 penalty", least=1e-6, most=1e6),
    ] = 1.0
    utterances: Annotated[
        int | None,
        Option(
            "take at most so many of each training set, at equal distances",
            default="all",
            least=1,
        ),
    ] = None
    batch_size: Annotated[int, Option("utterances in one pass", least=1)] = 8

    def __call__(self) -> "Trained":
        """Train and write it."""
        from espnet_merge.decode.train_router import train_router
        from espnet_merge.disk.atomic import check_output

        output = Path(self.output)
        check_output(output, overwrite=self.overwrite, mark=ROUTER_JSON)
        settings = Settings(
            batch_size=self.batch_size,
            **{name: getattr(self, name) for name in declared(ForwardPass)},
        )
        trained = train_router(
            Path(self.model),
            {name: Path(data) for name, data in self.train.items()},
            {name: Path(data) for name, data in self.valid.items()},
            settings,
            c=self.c,
            utterances=self.utterances,
        )
        trained.write(output, overwrite=self.overwrite)
        return trained


def main(command: Command) -> None:
    """Train, write, and print the confusion of the held-out utterances."""
    print(command())
    print(Path(command.output) / ROUTER_JSON, file=sys.stderr)

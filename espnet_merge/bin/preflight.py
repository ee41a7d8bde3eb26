r"""Check a run before it is queued: data, training step, memory, disk, base.

Prints a line for each finding: state, what, how many, examples, what to do. A note may
spoil the results; what is wrong or missing will break the run, and makes the exit
status 2. Audio is read by its headers; the longest batch is trained on, and one
utterance is decoded. In a recipe: run.sh --preflight.

For example:
  espnet-merge preflight --model exp/base --expdir exp --train dump/raw/org/es_train \
    --valid dump/raw/org/es_valid --test dump/raw/org/es_test \
    --training full=conf/train/full.yaml
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from espnet_merge.bin._groups import groups
from espnet_merge.data.limits import Limits
from espnet_merge.decode.settings import Settings, pairs
from espnet_merge.errors import InputError
from espnet_merge.options import AnyPath, Option, build, part, read_yaml
from espnet_merge.whisper.source import model_option

if TYPE_CHECKING:
    from espnet_merge.preflight.preflight import Plan


@dataclass(frozen=True, kw_only=True)
class Command(Limits):
    """Check a run before it is queued."""

    model: Annotated[AnyPath, model_option("Whisper that the experts start from")]
    expdir: Annotated[AnyPath, Option("directory of the systems")]
    train: Annotated[
        Sequence[AnyPath],
        Option("formatted training sets, not filtered", nargs="*", metavar="DATADIR"),
    ] = ()
    valid: Annotated[
        Sequence[AnyPath],
        Option("the same of validation sets", nargs="*", metavar="DATADIR"),
    ] = ()
    test: Annotated[
        Sequence[AnyPath],
        Option("the same of test sets", nargs="*", metavar="DATADIR"),
    ] = ()
    max_valid_utterances: Annotated[
        int | None, Option("as --max-utterances, of validation sets", least=1)
    ] = None
    max_test_utterances: Annotated[
        int | None, Option("the same of test sets", least=1)
    ] = None
    training: Annotated[
        Mapping[str, AnyPath],
        Option(
            "kinds of training, with their configurations",
            nargs="*",
            metavar="KIND=FILE",
            read=pairs,
        ),
    ] = field(default_factory=dict)
    train_args: Annotated[
        str, Option("further options of whisper_train", metavar="'WORDS'")
    ] = ""
    systems: Annotated[
        Mapping[str, Sequence[str]],
        Option(
            "systems of each kind of training, and merges, for the disk that they take",
            nargs="*",
            metavar="KIND=NAME,NAME",
            read=groups("--systems takes KIND=NAME,NAME such as full=full_es"),
        ),
    ] = field(default_factory=dict)
    train_nj: Annotated[int, Option("trainings at the same time", least=1)] = 1
    device: Annotated[
        Literal["cpu", "cuda"], Option("device of training and decoding")
    ] = "cpu"
    decode_config: Annotated[
        AnyPath | None,
        Option(
            "YAML with options of 'espnet-merge decode' for the base", metavar="FILE"
        ),
    ] = None

    def plan(self) -> "Plan":
        """Return what the run is going to do."""
        from espnet_merge.preflight.preflight import Plan
        from espnet_merge.preflight.sets import TEST, TRAIN, VALID

        limits = part(self, Limits)
        file = self.decode_config
        given = read_yaml(Settings, Path(file)) if file else {}
        gpus = str(int(self.device == "cuda"))
        words = ["--whisper", str(self.model), *shlex.split(self.train_args)]
        return Plan(
            model=Path(self.model),
            expdir=Path(self.expdir),
            sets={
                split: [Path(data) for data in own]
                for split, own in (
                    (TRAIN, self.train),
                    (VALID, self.valid),
                    (TEST, self.test),
                )
            },
            limits={
                TRAIN: limits,
                VALID: replace(limits, max_utterances=self.max_valid_utterances),
                TEST: Limits(max_utterances=self.max_test_utterances),
            },
            trainings={
                kind: ["--config", str(config), *words, "--ngpu", gpus]
                for kind, config in self.training.items()
            },
            systems=self.systems,
            jobs=self.train_nj,
            settings=build(Settings, {**given, "device": self.device}),
        )

    def __call__(self) -> None:
        """Print one line for each finding.

        Raises:
            InputError: something will break the run.
        """
        from espnet_merge.preflight.preflight import preflight

        found = []
        for one in preflight(self.plan()):
            print(one, flush=True)
            found.append(one)
        problems = [one.name for one in found if one.is_problem]
        notes = sum(one.state == "note" for one in found)
        if problems:
            raise InputError(
                f"nothing may be in the way of a run; {len(problems)} will break it: "
                f"{', '.join(problems)}; follow the remedies above."
            )
        print(f"ready to run, with {notes} note{'s' * (notes != 1)}")


def main(command: Command) -> None:
    """Check and print."""
    command()

"""``ObjectivesTask``: Whisper trained on several objectives at once.

It is ``WhisperTask`` with one more option, ``objectives_conf``; see
docs/objective_soups.md.
"""

import argparse
import itertools
import re
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from espnet2.iterators.abs_iter_factory import AbsIterFactory
from espnet2.torch_utils.device_funcs import force_gatherable
from espnet2.utils.nested_dict_action import NestedDictAction
from torch import Tensor, nn
from transformers import WhisperTokenizer

from espnet_merge.data.table import read_table, write_table
from espnet_merge.objectives.best_rq import BestRQ
from espnet_merge.objectives.conf import BEST_RQ, CPC, TEXT, Conf, Kind, read_conf
from espnet_merge.objectives.cpc import ContrastivePrediction
from espnet_merge.objectives.gradients import layers_of
from espnet_merge.objectives.state import State
from espnet_merge.objectives.step import Batch
from espnet_merge.speech import TRANSCRIBE
from espnet_merge.tasks.objectives_trainer import ObjectivesTrainer
from espnet_merge.tasks.whisper import WhisperModel, WhisperTask

# Added to the epoch when an objective starts over within an epoch, so that its order
# differs from that of every epoch.
ROUND = 100_000
# Between the seeds of two objectives. With one seed those of one size have one order,
# and as batches are sorted by length, all of a step are short, or all long.
APART = 100 * ROUND


class ObjectivesModel(WhisperModel):
    """Whisper with a loss for each objective, and the state of their training.

    Args:
        conf: the objectives.
        others: arguments of ``WhisperModel``.
    """

    def __init__(
        self,
        network: nn.Module,
        tokenizer: WhisperTokenizer,
        *,
        conf: Conf,
        **others: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(network, tokenizer, **others)
        self.conf = conf
        heads = self._heads({o.loss for o in conf.objectives.values()})
        self.objectives = State(conf, len(self.shared_layers()), heads)

    def _heads(self, losses: Collection[str]) -> dict[str, nn.Module]:
        config = self.whisper.config
        heads: dict[str, nn.Module] = {}
        if BEST_RQ in losses:
            mels, conf = config.num_mel_bins, self.conf.best_rq
            heads[BEST_RQ] = BestRQ(mels, config.d_model, conf)
        if CPC in losses:
            heads[CPC] = ContrastivePrediction(config.d_model, self.conf.cpc)
        return heads

    def shared_layers(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters that objectives share, layer by layer."""
        objectives = self.conf.objectives.values()
        return layers_of(
            self,
            lambda name: (
                re.search(self.conf.shared, name) is not None
                and not any(objective.owns(name) for objective in objectives)
            ),
        )

    def forward(
        self,
        **batch: Any,  # noqa: ANN401
    ) -> tuple[Tensor, dict[str, Tensor | None], Tensor]:
        """Return value, statistics and weight of the loss that the batch names."""
        loss = batch.pop("loss", TEXT)
        if loss == TEXT:
            return super().forward(**batch)
        with self.computing(batch["speech"].device):
            value, stats, count = self.objectives.get_submodule(loss)(
                self.whisper.model.encoder,
                batch["speech"],
                batch["speech_lengths"],
                batch.get("drawn"),
            )
        stats = {"loss": value.detach()} | stats
        return force_gatherable(  # type: ignore[no-any-return]
            (value, stats, count), value.device
        )

    def weighed(self, batch: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Draw what the loss needs at random; return the batch and its weight."""
        loss = batch.get("loss", TEXT)
        if loss == TEXT:
            return batch, self.weigh(batch)
        head: Any = self.objectives.get_submodule(loss)
        drawn = head.draw(batch["speech"], batch["speech_lengths"])
        return batch | {"drawn": drawn}, head.weigh(drawn)

    def trained_names(self) -> set[str]:
        """Return the names of the trained parameters and of the training state."""
        carried = self.objectives.state_dict()
        return super().trained_names() | {f"objectives.{name}" for name in carried}


class ObjectivesIterFactory(AbsIterFactory):  # type: ignore[misc]
    """Batches of all objectives for each step, from ESPnet's own iterators.

    An epoch has as many steps as one pass over the largest objective with texts takes,
    or over the largest of all if none has texts. Smaller ones start over, in another
    order.

    Args:
        factories: ESPnet's factories, one for each objective.
        conf: the objectives.
        accum_grad: number of batches that are accumulated for one sample.
    """

    def __init__(
        self, factories: Sequence[AbsIterFactory], conf: Conf, accum_grad: int
    ) -> None:
        self.factories = factories
        self.losses = [objective.loss for objective in conf.objectives.values()]
        self.samples = [conf.samples(index) for index in range(len(factories))]
        self.accum_grad = accum_grad

    def build_iter(
        self, epoch: int, shuffle: bool | None = None
    ) -> Iterator[tuple[list[str], dict[str, Any]]]:
        """Yield names and ``batches``: by objective, sample and accumulated part."""
        whole = zip(self.factories, self.losses, self.samples, strict=True)
        # Those with texts are the larger pairs, whatever their counts.
        _, steps = max(
            (
                loss == TEXT,
                -(-len(factory.build_iter(epoch, shuffle)) // (n * self.accum_grad)),
            )
            for factory, loss, n in whole
        )
        streams = [
            _endless(factory, loss, epoch, shuffle)
            for factory, loss in zip(self.factories, self.losses, strict=True)
        ]
        for _ in range(steps):
            batches = [
                [[next(stream) for _ in range(self.accum_grad)] for _ in range(samples)]
                for stream, samples in zip(streams, self.samples, strict=True)
            ]
            names = [n for o in batches for s in o for part in s for n in part[0]]
            yield names, {"batches": batches}

    def sample(self, loss: str, frames: int) -> list[tuple[Tensor, Tensor]]:
        """Return features and lengths of batches of the objectives of a loss.

        Args:
            loss: name of the loss.
            frames: number of frames to return, the same from each objective; fewer if
                the data has fewer.
        """
        of_loss = [
            factory
            for factory, own in zip(self.factories, self.losses, strict=True)
            if own == loss
        ]
        found: list[tuple[Tensor, Tensor]] = []
        for factory in of_loss:
            left = frames // len(of_loss)
            for batch in _each_once(factory):
                found.append((batch["speech"], batch["speech_lengths"]))
                left -= int(batch["speech_lengths"].sum())
                if left <= 0:
                    break
        return found


def _each_once(factory: AbsIterFactory) -> Iterator[dict[str, Any]]:
    """Yield batches until one has an utterance again; an epoch may be less than all."""
    seen: set[str] = set()
    for epoch in itertools.count(1):
        for names, batch in factory.build_iter(epoch):
            if not seen.isdisjoint(names):
                return
            seen.update(names)
            yield batch


def _endless(
    factory: AbsIterFactory, loss: str, epoch: int, shuffle: bool | None
) -> Iterator[Batch]:
    while True:
        for names, batch in factory.build_iter(epoch, shuffle):
            yield names, batch | {"loss": loss, "utt_id": names}
        epoch += ROUND


class ObjectivesTask(WhisperTask):
    """Train Whisper on several objectives; ``espnet_merge.bin.objectives_train``."""

    trainer = ObjectivesTrainer

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add ``objectives_conf`` to the options of ``WhisperTask``."""
        super().add_task_arguments(parser)
        parser.add_argument(
            "--objectives_conf",
            action=NestedDictAction,
            default={},
            help="Objectives, levels, solver, shared, layers; docs/objective_soups.md",
        )

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> ObjectivesModel:
        """Build the model of ``WhisperTask`` and add the objectives."""
        conf = read_conf(args.objectives_conf, set(_kinds(args).values()))
        plain = super().build_model(args)
        return ObjectivesModel(
            plain.network,
            plain.tokenizer,
            conf=conf,
            specaug=plain.specaug,
            autocast=plain.autocast,
            **args.model_conf,
        )

    @classmethod
    def build_iter_factory(
        cls,
        args: argparse.Namespace,
        distributed_option: Any,  # noqa: ANN401 - ESPnet's DistributedOption
        mode: str,
        kwargs: dict[str, Any] | None = None,
    ) -> AbsIterFactory:
        """For training, build a factory for each objective; else ESPnet's own."""
        if mode != "train":
            return super().build_iter_factory(args, distributed_option, mode, kwargs)
        kinds = _kinds(args)
        conf = read_conf(args.objectives_conf, set(kinds.values()))
        factories = []
        for index, objective in enumerate(conf.objectives.values()):
            own = {"seed": args.seed + index * APART}
            seeded = argparse.Namespace(**vars(args) | own)
            chosen = {uid for uid, kind in kinds.items() if objective.takes(*kind)}
            with tempfile.TemporaryDirectory() as directory:
                shapes = _choose(args.train_shape_file, chosen, Path(directory))
                options = (kwargs or {}) | {"shape_files": shapes}
                factories.append(
                    super().build_iter_factory(
                        seeded, distributed_option, mode, options
                    )
                )
        return ObjectivesIterFactory(factories, conf, args.accum_grad)


def _kinds(args: argparse.Namespace) -> dict[str, Kind]:
    """Return task and language of each training utterance.

    The shape files say which utterances of the tables are used.
    """
    tables: dict[str, dict[str, str]] = {"lang": {}, "task": {}}
    for path, name, _ in args.train_data_path_and_name_and_type:
        if name in tables:
            tables[name] |= read_table(Path(path))
    tasks, languages = tables["task"], tables["lang"]
    names = set(languages).intersection(*map(_names, args.train_shape_file))
    return {
        name: (tasks.get(name, TRANSCRIBE), language)
        for name, language in languages.items()
        if name in names
    }


def _names(file: str) -> set[str]:
    return set(read_table(Path(file)))


def _choose(
    files: Sequence[str], chosen: Collection[str], directory: Path
) -> list[str]:
    """Write the lines of each shape file that belong to ``chosen``."""
    paths = []
    for number, file in enumerate(files):
        table = read_table(Path(file))
        path = directory / f"shape.{number}"
        write_table(path, {uid: table[uid] for uid in table if uid in chosen})
        paths.append(str(path))
    return paths

"""``WhisperTask``: Hugging Face's Whisper as a task of ESPnet.

ESPnet's Trainer, iterators, checkpoints, averaging and logging are used unchanged. This
file adds the model, a prompt for each utterance, LoRA, and checks at the start.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from espnet2.asr.specaug.specaug import SpecAug
from espnet2.iterators.abs_iter_factory import AbsIterFactory
from espnet2.tasks.abs_task import AbsTask
from espnet2.train.class_choices import ClassChoices
from espnet2.train.collate_fn import CommonCollateFn
from espnet2.utils.nested_dict_action import NestedDictAction
from espnet2.utils.types import str2bool, str_or_none
from torch import Tensor, nn
from torch.multiprocessing.spawn import ProcessExitedException

from espnet_merge.checkpoint.hub_names import ON_HUB
from espnet_merge.checkpoint.labels import KEY, SPACED
from espnet_merge.errors import InputError
from espnet_merge.lora.adapter import add_adapter
from espnet_merge.objectives.conf import build
from espnet_merge.tasks.labels import check_labels, warn_of_older
from espnet_merge.tasks.loading import SteadyLoaders, check_processes
from espnet_merge.tasks.mixture import start_mixture
from espnet_merge.tasks.model import WhisperModel
from espnet_merge.tasks.precision import (
    COMPILERS,
    DTYPES,
    compile_layers,
    round_base,
    type_to_compute_in,
)
from espnet_merge.tasks.preprocess import IGNORE, WhisperPreprocessor
from espnet_merge.tasks.sound import check_first_recordings
from espnet_merge.tasks.sources import find_models
from espnet_merge.tasks.step_checkpoint import AGAIN, handled, nothing
from espnet_merge.tasks.trainer import WhisperTrainer
from espnet_merge.tasks.warm_start import start_warm
from espnet_merge.whisper.labels import LabelConf
from espnet_merge.whisper.model import load_whisper
from espnet_merge.whisper.precision import FAST
from espnet_merge.whisper.prompt import load_tokenizer

LORA_OPTIONS = ("lora_conf", "init_adapter")  # have no effect without lora

specaug_choices = ClassChoices(
    name="specaug", classes={"specaug": SpecAug}, type_check=nn.Module, optional=True
)


class WhisperTask(AbsTask):  # type: ignore[misc]
    """Fine-tune Whisper, fully or by LoRA; see ``espnet_merge.bin.whisper_train``."""

    num_optimizers = 1
    trainer = WhisperTrainer
    class_choices_list = (specaug_choices,)

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add the options that ESPnet does not have."""
        group = parser.add_argument_group(description="Whisper")
        _add_whisper_options(group)
        _add_cost_options(group)
        _add_lora_options(group)
        for choices in cls.class_choices_list:
            choices.add_arguments(group)
        parser.set_defaults(required=["output_dir", "whisper"])

    @classmethod
    def main(
        cls, args: argparse.Namespace | None = None, cmd: Sequence[str] | None = None
    ) -> None:
        """Train; with several GPUs in a process of each, whose end is waited for."""
        try:
            with handled(nothing):
                super().main(args, cmd)
        except ProcessExitedException as error:
            if error.exit_code != AGAIN:
                raise
            sys.exit(AGAIN)

    @classmethod
    def main_worker(cls, args: argparse.Namespace) -> None:
        """Find the models, check audio and label format, then train as ESPnet does."""
        # Before the first step nothing is lost by TERM, and nothing gained by USR1.
        with handled(nothing), handled(signal.SIG_DFL, [signal.SIGTERM]):
            find_models(args)
            check_first_recordings(args)
            check_labels(args)
            super().main_worker(args)

    @classmethod
    def build_collate_fn(
        cls, args: argparse.Namespace, train: bool
    ) -> Callable[[Collection[Any]], tuple[list[str], dict[str, Tensor]]]:
        """Pad features with 0 (masked later) and tokens with -1 (not in the loss)."""
        return CommonCollateFn(  # type: ignore[no-any-return]
            float_pad_value=0.0, int_pad_value=IGNORE
        )

    @classmethod
    def build_preprocess_fn(
        cls, args: argparse.Namespace, train: bool
    ) -> WhisperPreprocessor:
        """Return the function that ESPnet's dataset calls for each utterance."""
        labels = build(LabelConf, "label_conf", args.label_conf)
        return WhisperPreprocessor(
            Path(args.whisper), pad_to=args.pad_to, tail=args.tail, labels=labels
        )

    @classmethod
    def build_iter_factory(
        cls,
        args: argparse.Namespace,
        distributed_option: Any,  # noqa: ANN401 - ESPnet's DistributedOption
        mode: str,
        kwargs: dict[str, Any] | None = None,
    ) -> AbsIterFactory:
        """Return ESPnet's batches, if each process has a part of all of them."""
        if distributed_option.distributed and mode != "plot_att":
            check_processes(
                args, mode, distributed_option.dist_world_size, **(kwargs or {})
            )
        factory = super().build_iter_factory(args, distributed_option, mode, kwargs)
        return SteadyLoaders(factory)

    @classmethod
    def required_data_names(
        cls, train: bool = True, inference: bool = False
    ) -> tuple[str, ...]:
        """Name the required inputs: speech, text, and language of each utterance."""
        return ("speech", "text", "lang")

    @classmethod
    def optional_data_names(
        cls, train: bool = True, inference: bool = False
    ) -> tuple[str, ...]:
        """Name the optional inputs: task (default: transcribe) and preceding text."""
        return ("task", "previous")

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> WhisperModel:
        """Load the Whisper, add the adapter or mixture, and freeze the base."""
        path = Path(args.whisper)
        network = load_whisper(path)
        if args.gradient_checkpointing:
            network.activation_checkpointing_enable({"use_reentrant": False})
        if args.mixture_conf:
            network = start_mixture(network, args)
        if args.lora:
            network = add_adapter(
                network, args.lora_conf, max_trainable_share=args.max_trainable_share
            )
            if args.init_adapter:
                start_warm(network, args)
        elif given := next((n for n in LORA_OPTIONS if getattr(args, n)), None):
            raise InputError(
                f"{given} is given but lora is false: set 'lora: true' in the "
                f"training configuration, or remove {given}."
            )
        warn_of_older(args)
        specaug = None
        if args.specaug is not None:
            specaug = specaug_choices.get_class(args.specaug)(**args.specaug_conf)
        if args.compile:
            compile_layers(network, args.compile)
        autocast = type_to_compute_in(args.autocast, on_gpu=args.ngpu > 0)
        return WhisperModel(
            network,
            load_tokenizer(path),
            specaug=specaug,
            autocast=autocast or args.base_dtype,
            **args.model_conf,
        )

    @classmethod
    def build_optimizers(
        cls, args: argparse.Namespace, model: WhisperModel
    ) -> list[torch.optim.Optimizer]:
        """Round the frozen base if that is asked for, then build as ESPnet does.

        ESPnet has given all weights its ``train_dtype`` before.
        """
        if args.base_dtype:
            round_base(model, args.base_dtype)
        return super().build_optimizers(args, model)  # type: ignore[no-any-return]


__all__ = ["IGNORE", "WhisperModel", "WhisperPreprocessor", "WhisperTask"]


def _add_whisper_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--whisper",
        type=str_or_none,
        help=f"Hugging Face Whisper to start from: a directory, or {ON_HUB} (required)",
    )
    group.add_argument(
        "--pad_to",
        type=float,
        default=30.0,
        help="Pad audio to these seconds; 30 is Whisper's window, 0 is true length",
    )
    group.add_argument(
        "--tail",
        type=float,
        default=0.0,
        help="Seconds of silence after each utterance, before it is padded",
    )
    group.add_argument(
        "--label_conf",
        action=NestedDictAction,
        default={},
        help="What labels have beside the text, as fractions of utterances: "
        "timestamps, previous, language; docs/training.md",
    )
    group.add_argument(
        f"--{KEY}",
        default=SPACED,
        choices=(SPACED,),
        help="Written into config.yaml, to tell models of older versions",
    )
    group.add_argument(
        "--model_conf",
        action=NestedDictAction,
        default={},
        help="Arguments of WhisperModel: label_smoothing, ...",
    )


def _add_cost_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--gradient_checkpointing",
        type=str2bool,
        default=False,
        help="Less memory, about a third more time",
    )
    group.add_argument(
        "--autocast",
        type=str_or_none,
        choices=(*DTYPES, FAST, None),
        help="Compute in this type on any device, while weights stay float32; auto is "
        "bfloat16 where the processor has instructions for it",
    )
    group.add_argument(
        "--base_dtype",
        type=str_or_none,
        choices=(*DTYPES, None),
        help="With an adapter or a mixture, hold the frozen base in this type, and "
        "compute in it",
    )
    group.add_argument(
        "--compile",
        type=str_or_none,
        choices=(*COMPILERS, None),
        help="Compile each layer by this backend of torch.compile, for all lengths; "
        "aot_eager compiles soon, and computes no faster",
    )


def _add_lora_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--mixture_conf",
        action=NestedDictAction,
        default={},
        help="Train a mixture of LoRA experts: adapters (frozen, a list, or auto "
        "and nearest, a number, of init_adapters), r, lora_alpha, gate, top_k",
    )
    group.add_argument(
        "--lora",
        type=str2bool,
        default=False,
        help="Train a LoRA adapter and freeze the base",
    )
    group.add_argument(
        "--lora_conf",
        action=NestedDictAction,
        default={},
        help="Arguments of peft.LoraConfig: r, lora_alpha, target_modules, ...",
    )
    group.add_argument(
        "--max_trainable_share",
        type=float,
        default=0.2,
        help="With LoRA, stop if more than this fraction of weights is trainable",
    )
    group.add_argument(
        "--init_adapter",
        type=str_or_none,
        help="Warm start: a trained adapter, its language in init_adapters, auto or "
        "least for the most or least similar of those, or none",
    )
    group.add_argument(
        "--init_adapters",
        action=NestedDictAction,
        default={},
        help="Trained adapters, such as es=exp/lora_es/model",
    )
    group.add_argument(
        "--init_similarity",
        type=str_or_none,
        help="similarity.json of espnet-merge similarity, for auto and least",
    )
    group.add_argument(
        "--init_adapter_sha256",
        type=str_or_none,
        help="SHA-256 of the warm start's adapter_model.safetensors, to check it",
    )

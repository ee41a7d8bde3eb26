"""``WhisperTask``: Hugging Face's Whisper as a task of ESPnet.

ESPnet's Trainer, iterators, checkpoints, averaging and logging are used as they are;
what this file adds is the model, its prompt per utterance, LoRA, and checks at start.
"""

import argparse
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
from espnet2.asr.specaug.specaug import SpecAug
from espnet2.tasks.abs_task import AbsTask
from espnet2.torch_utils.device_funcs import force_gatherable
from espnet2.train.abs_espnet_model import AbsESPnetModel
from espnet2.train.class_choices import ClassChoices
from espnet2.train.collate_fn import CommonCollateFn
from espnet2.utils.nested_dict_action import NestedDictAction
from espnet2.utils.types import str2bool, str_or_none
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import (
    WhisperConfig,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

from espnet_merge.errors import InputError
from espnet_merge.lora.adapter import add_adapter
from espnet_merge.tasks.mixture import start_mixture
from espnet_merge.tasks.sound import check_first
from espnet_merge.tasks.trainer import WhisperTrainer
from espnet_merge.tasks.warm_start import start_warm
from espnet_merge.whisper.features import check_seconds, log_mel
from espnet_merge.whisper.model import decode, encode, load_whisper, logits
from espnet_merge.whisper.prompt import encode_target, load_tokenizer

IGNORE = -1  # pads token ids in a batch
LORA_OPTIONS = ("lora_conf", "init_adapter")  # that mean nothing without lora
PROMPT_LENGTH = 4  # start, language, task, no timestamps

specaug_choices = ClassChoices(
    name="specaug", classes={"specaug": SpecAug}, type_check=nn.Module, optional=True
)


class WhisperPreprocessor:
    """Turn one utterance into log-mel frames and token ids.

    Args:
        model: directory of the Whisper whose tokenizer and mel bins to use.
        pad_to: seconds to pad to; 30 as Whisper was trained, 0 for true length.
        tail: seconds of silence after each utterance, before it is padded.
    """

    def __init__(self, model: Path, *, pad_to: float, tail: float = 0.0) -> None:
        check_seconds("pad_to", pad_to)
        check_seconds("tail", tail)
        config = WhisperConfig.from_pretrained(model)
        self.tokenizer = load_tokenizer(model)
        self.n_mels = config.num_mel_bins
        self.max_tokens = config.max_target_positions
        self.pad_to = pad_to
        self.tail = tail

    def __call__(self, uid: str, data: dict[str, Any]) -> dict[str, NDArray[Any]]:
        """Map speech (samples,), text, lang, task to speech (frames, mels), text (n,).

        Raises:
            InputError: what is wrong, with the utterance's id.
        """
        try:
            if data["speech"] is None:  # ESPnet's reading of None in wav.scp
                raise InputError(
                    "must have audio; by wav.scp it has none: drop it with "
                    "'espnet-merge filter'."
                )
            speech = log_mel(
                data["speech"], n_mels=self.n_mels, pad_to=self.pad_to, tail=self.tail
            )
            task = data.get("task", "transcribe")
            ids = encode_target(self.tokenizer, data["text"], data["lang"], task)
        except InputError as error:
            raise InputError(f"utterance {uid}: {error}") from error
        if len(ids) > self.max_tokens:
            raise InputError(
                f"utterance {uid}: a text must have at most {self.max_tokens} tokens, "
                f"prompt and end included; got {len(ids)}: drop it with "
                "'espnet-merge filter --model'."
            )
        return {"speech": speech, "text": np.array(ids, dtype=np.int64)}


class WhisperModel(AbsESPnetModel):  # type: ignore[misc]
    """Whisper's cross entropy on the text and end tokens, given the prompt.

    The prompt is not trained: language identification stays the base model's own.

    Args:
        network: Whisper, or Whisper inside a ``PeftModel`` or a ``Mixture``.
        tokenizer: to show labels before training starts.
        specaug: module (features, lengths) -> (features, lengths), in training only.
        label_smoothing: in [0, 1).
    """

    extract_feats_in_collect_stats = False

    def __init__(
        self,
        network: nn.Module,
        tokenizer: WhisperTokenizer,
        *,
        specaug: nn.Module | None = None,
        label_smoothing: float = 0.0,
        extract_feats_in_collect_stats: bool = False,
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise InputError(
                f"label_smoothing must be in [0, 1); got {label_smoothing}: set "
                "model_conf.label_smoothing."
            )
        self.network = network
        self.tokenizer = tokenizer
        self.specaug = specaug
        self.label_smoothing = label_smoothing

    @property
    def whisper(self) -> WhisperForConditionalGeneration:
        """The Whisper itself, its linear layers carrying the adapter if any."""
        if self.has_adapter:
            return self.network.get_base_model()  # type: ignore[operator]
        return self.network

    @property
    def has_adapter(self) -> bool:
        """Whether an adapter or a mixture is trained and the base is frozen."""
        return hasattr(self.network, "get_base_model")

    def token_scores(self, **batch: Tensor) -> Tensor:
        """Return (batch, tokens - 1, vocabulary): scores of each next token."""
        return logits(self.whisper.model.decoder, self._states(**batch))

    def forward(
        self, **batch: Tensor
    ) -> tuple[Tensor, dict[str, Tensor | None], Tensor]:
        """Return loss, statistics and weight (utterances), as ESPnet expects."""
        targets = batch["text"][:, PROMPT_LENGTH:]
        spoken = targets != IGNORE
        # The projection to the vocabulary is a large part of a step: not for padding.
        states = self._states(**batch)[:, PROMPT_LENGTH - 1 :][spoken]
        scores = logits(self.whisper.model.decoder, states).float()
        loss = cross_entropy(
            scores, targets[spoken], label_smoothing=self.label_smoothing
        )
        accuracy = (scores.detach().argmax(-1) == targets[spoken]).float().mean()
        stats = {"loss": loss.detach(), "acc": accuracy}
        return force_gatherable(  # type: ignore[no-any-return]
            (loss, stats, len(targets)), loss.device
        )

    def _states(
        self,
        speech: Tensor,
        speech_lengths: Tensor,
        text: Tensor,
        **_: Any,  # noqa: ANN401 - ESPnet adds what a batch may also hold
    ) -> Tensor:
        if self.specaug is not None and self.training:
            speech, speech_lengths = self.specaug(speech, speech_lengths)
        whisper = self.whisper.model
        encoded = encode(whisper.encoder, speech, speech_lengths)
        return decode(whisper.decoder, text[:, :-1].clamp(min=0), encoded)

    def collect_feats(self, **batch: Tensor) -> dict[str, Tensor]:
        """Return the features; the task does not normalise, so nothing asks."""
        return {"feats": batch["speech"], "feats_lengths": batch["speech_lengths"]}

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return all weights; with an adapter, the adapter's only."""
        state: dict[str, Any] = super().state_dict(*args, **kwargs)
        if not self.has_adapter:
            return state
        trained = self.trained_names()
        return {name: value for name, value in state.items() if name in trained}

    def load_state_dict(
        self, state: dict[str, Any], strict: bool = True, assign: bool = False
    ) -> None:
        """Load what ``state_dict`` returned; every name must match, always.

        Raises:
            InputError: names are missing or left over.
        """
        expected = self.trained_names() if self.has_adapter else set(self.state_dict())
        if expected != set(state):
            odd = sorted(expected ^ set(state))
            raise InputError(
                f"the checkpoint must hold exactly this model's {len(expected)} "
                f"tensors; {len(odd)} differ, first {odd[0]}: train and load with the "
                "same configuration."
            )
        super().load_state_dict(state, strict=not self.has_adapter, assign=assign)

    def trained_names(self) -> set[str]:
        """Return the names of the parameters that training changes."""
        return {n for n, p in self.named_parameters() if p.requires_grad}


class WhisperTask(AbsTask):  # type: ignore[misc]
    """Fine-tune Whisper, fully or by LoRA; ``espnet_merge.bin.whisper_train``."""

    num_optimizers = 1
    trainer = WhisperTrainer
    class_choices_list = (specaug_choices,)

    @classmethod
    def main_worker(cls, args: argparse.Namespace) -> None:
        """Train as ESPnet does, on recordings that Whisper can hear."""
        check_first(args)
        super().main_worker(args)

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add the options that ESPnet's own trainer does not have."""
        group = parser.add_argument_group(description="Whisper")
        group.add_argument(
            "--whisper",
            type=str_or_none,
            help="Hugging Face Whisper directory to start from (required)",
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
            "--gradient_checkpointing",
            type=str2bool,
            default=False,
            help="Less memory, about a third more time",
        )
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
            help="With LoRA, stop if more than this share of weights is trainable",
        )
        group.add_argument(
            "--init_adapter",
            type=str_or_none,
            help="Warm start: a trained adapter's directory, its language in "
            "init_adapters, auto or least for the most or least similar of those, or "
            "none",
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
            help="Of the warm start's adapter_model.safetensors; config.yaml says it",
        )
        group.add_argument(
            "--model_conf",
            action=NestedDictAction,
            default={},
            help="Arguments of WhisperModel: label_smoothing, ...",
        )
        for choices in cls.class_choices_list:
            choices.add_arguments(group)
        parser.set_defaults(required=["output_dir", "whisper"])

    @classmethod
    def build_collate_fn(
        cls, args: argparse.Namespace, train: bool
    ) -> Callable[[Collection[Any]], tuple[list[str], dict[str, Tensor]]]:
        """Pad features with 0 (masked later) and tokens with -1 (not scored)."""
        return CommonCollateFn(  # type: ignore[no-any-return]
            float_pad_value=0.0, int_pad_value=IGNORE
        )

    @classmethod
    def build_preprocess_fn(
        cls, args: argparse.Namespace, train: bool
    ) -> WhisperPreprocessor:
        """Return the function that ESPnet's dataset calls for each utterance."""
        return WhisperPreprocessor(
            Path(args.whisper), pad_to=args.pad_to, tail=args.tail
        )

    @classmethod
    def required_data_names(
        cls, train: bool = True, inference: bool = False
    ) -> tuple[str, ...]:
        """Speech, text, and the language of each utterance."""
        return ("speech", "text", "lang")

    @classmethod
    def optional_data_names(
        cls, train: bool = True, inference: bool = False
    ) -> tuple[str, ...]:
        """The task of each utterance, transcribe where it is not given."""
        return ("task",)

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> WhisperModel:
        """Load the Whisper, add the adapter, and freeze what must stay."""
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
        specaug = None
        if args.specaug is not None:
            specaug = specaug_choices.get_class(args.specaug)(**args.specaug_conf)
        return WhisperModel(
            network, load_tokenizer(path), specaug=specaug, **args.model_conf
        )

"""Whisper as ESPnet's trainer expects a model: loss, statistics, weight."""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from espnet2.torch_utils.device_funcs import force_gatherable
from espnet2.train.abs_espnet_model import AbsESPnetModel
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import WhisperForConditionalGeneration, WhisperTokenizer

from espnet_merge.errors import InputError
from espnet_merge.tasks.keeper import LanguageKeeper
from espnet_merge.tasks.precision import DTYPES
from espnet_merge.whisper.model import decode, encode, logits


class WhisperModel(AbsESPnetModel):  # type: ignore[misc]
    """Whisper with the mean cross entropy of the learnt tokens as its loss.

    The prompt is given, and learnt only if the label says so. Training changes language
    identification all the same, because it changes the encoder and the decoder.
    ``keep_languages`` holds it to that of the base.

    Args:
        network: Whisper, or Whisper inside a ``PeftModel`` or a ``Mixture``.
        tokenizer: to show labels before training starts.
        specaug: module (features, lengths) -> (features, lengths), in training only.
        label_smoothing: in [0, 1).
        keep_languages: weight, in tokens, of the divergence of an utterance's language
            posterior from the base's, see ``LanguageKeeper``; 0 for none.
        autocast: type to compute in, of ``precision.DTYPES``; None for that of the
            weights.
    """

    extract_feats_in_collect_stats = False

    def __init__(
        self,
        network: nn.Module,
        tokenizer: WhisperTokenizer,
        *,
        specaug: nn.Module | None = None,
        label_smoothing: float = 0.0,
        keep_languages: float = 0.0,
        autocast: str | None = None,
        extract_feats_in_collect_stats: bool = False,
    ) -> None:
        super().__init__()
        _check("label_smoothing", label_smoothing, 1)
        _check("keep_languages", keep_languages, math.inf)
        self.network = network
        self.tokenizer = tokenizer
        self.specaug = specaug
        self.label_smoothing = label_smoothing
        self.keep_languages = keep_languages
        self.autocast = autocast
        self.keeper = LanguageKeeper(network, tokenizer) if keep_languages else None

    @property
    def whisper(self) -> WhisperForConditionalGeneration:
        """The Whisper itself, with the adapter in its linear layers if there is one."""
        if self.has_adapter:
            return self.network.get_base_model()  # type: ignore[operator]
        return self.network

    @property
    def has_adapter(self) -> bool:
        """Whether an adapter or a mixture is trained and the base is frozen."""
        return hasattr(self.network, "get_base_model")

    def token_scores(self, **batch: Tensor) -> Tensor:
        """Return the logits (batch, tokens - 1, vocabulary) of each next token."""
        with self.computing(batch["speech"].device):
            return logits(self.whisper.model.decoder, self._states(**batch))

    def computing(self, device: torch.device) -> AbstractContextManager[None]:
        """Return the context in which the network computes."""
        if self.autocast is None:
            return nullcontext()
        return torch.autocast(device.type, dtype=DTYPES[self.autocast])

    def forward(
        self, **batch: Tensor
    ) -> tuple[Tensor, dict[str, Tensor | None], Tensor]:
        """Return loss, statistics and weight, as ESPnet expects.

        The weight is the number of learnt tokens. ESPnet's means over processes,
        batches and epochs are then means over tokens, whatever the batches.

        Args:
            batch: of utterances. It may have ``loss_weight`` (batch,), by which the
                loss is multiplied, see ``tasks.accumulate``.
        """
        with self.computing(batch["speech"].device):
            return self._loss(batch)

    def _loss(
        self, batch: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor | None], Tensor]:
        learnt = batch["learnt"][:, 1:] > 0
        targets = batch["text"][:, 1:][learnt]
        # The projection to the vocabulary is costly, so padding is left out first.
        states = self._states(**batch)
        scores = logits(self.whisper.model.decoder, states[learnt]).float()
        loss = cross_entropy(scores, targets, label_smoothing=self.label_smoothing)
        accuracy = (scores.detach().argmax(-1) == targets).float().mean()
        stats = {"loss": loss.detach(), "acc": accuracy}
        if self.keeper is not None:
            divergence = self.keeper.divergence(self.whisper, states, batch)
            divergence = divergence / len(targets)
            loss = loss + self.keep_languages * divergence
            stats["languages"] = divergence.detach()
        if "loss_weight" in batch:
            loss = loss * batch["loss_weight"][0]
        return force_gatherable(  # type: ignore[no-any-return]
            (loss, stats, len(targets)), loss.device
        )

    def weigh(self, batch: dict[str, Tensor]) -> int:
        """Return the weight that ``forward`` will give the batch."""
        return int((batch["learnt"][:, 1:] > 0).sum())

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
        """Return the features; ESPnet only needs them to normalise, which we do not."""
        return {"feats": batch["speech"], "feats_lengths": batch["speech_lengths"]}

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return all weights, or only those of the adapter if there is one."""
        state: dict[str, Any] = super().state_dict(*args, **kwargs)
        if not self.has_adapter:
            return state
        trained = self.trained_names()
        return {name: value for name, value in state.items() if name in trained}

    def load_state_dict(
        self, state: dict[str, Any], strict: bool = True, assign: bool = False
    ) -> None:
        """Load what ``state_dict`` returned; all names must match, even if not strict.

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


def _check(name: str, value: Any, limit: float) -> None:  # noqa: ANN401
    if not isinstance(value, int | float) or not 0 <= value < limit:
        raise InputError(
            f"model_conf.{name} must be a number in [0, {limit:g}), such as 1.0e-3; "
            f"got {value!r}."
        )

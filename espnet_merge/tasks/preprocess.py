"""Preprocessor for ESPnet's dataset: log-mel frames and a label per utterance."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import WhisperConfig

from espnet_merge.errors import InputError
from espnet_merge.speech import SAMPLE_RATE, TRANSCRIBE, check_seconds
from espnet_merge.whisper.features import log_mel
from espnet_merge.whisper.labels import LabelConf, LabelInput, check_tokens, make_label
from espnet_merge.whisper.prompt import load_tokenizer

IGNORE = -1  # pads token ids in a batch


class WhisperPreprocessor:
    """Turn one utterance into log-mel frames and token ids.

    Args:
        model: directory of the Whisper whose tokenizer and mel bins to use.
        pad_to: seconds to pad to; 30 as Whisper was trained, 0 for true length.
        tail: seconds of silence after each utterance, before it is padded.
        labels: fractions of labels with timestamps, previous text, learnt language.
    """

    def __init__(
        self,
        model: Path,
        *,
        pad_to: float,
        tail: float = 0.0,
        labels: LabelConf | None = None,
    ) -> None:
        check_seconds("pad_to", pad_to)
        check_seconds("tail", tail)
        config = WhisperConfig.from_pretrained(model)
        self.tokenizer = load_tokenizer(model)
        self.n_mels = config.num_mel_bins
        self.max_tokens = config.max_target_positions
        self.pad_to = pad_to
        self.tail = tail
        self.labels = labels or LabelConf()
        check_tokens(self.tokenizer, self.labels)

    def __call__(self, uid: str, data: dict[str, Any]) -> dict[str, NDArray[Any]]:
        """Map speech (samples,), text, lang, task, previous to the model's input.

        Returns:
            ``speech`` (frames, mels); ``text`` (n,), prompt and end included; and
            ``learnt`` (n,), 1 if the decoder learns the token, 0 if it is given.

        Raises:
            InputError: audio, text, language or task cannot be used; the message begins
                with the utterance's id.
        """
        try:
            if data["speech"] is None:  # as ESPnet reads None in wav.scp
                raise InputError(
                    "must have audio; by wav.scp it has none: drop it with "
                    "'espnet-merge filter'."
                )
            speech = log_mel(
                data["speech"], n_mels=self.n_mels, pad_to=self.pad_to, tail=self.tail
            )
            utterance = LabelInput(
                uid,
                data["text"],
                data["lang"],
                data.get("task", TRANSCRIBE),
                len(data["speech"]) / SAMPLE_RATE,
                data.get("previous"),
            )
            ids, learnt = make_label(
                self.tokenizer, utterance, self.labels, self.max_tokens
            )
        except InputError as error:
            raise InputError(f"utterance {uid}: {error}") from error
        if len(ids) > self.max_tokens:
            raise InputError(
                f"utterance {uid}: a text must have at most {self.max_tokens} tokens, "
                f"prompt and end included; got {len(ids)}: drop it with "
                "'espnet-merge filter --model'."
            )
        return {
            "speech": speech,
            "text": np.array(ids, np.int64),
            "learnt": np.array(learnt, np.int64),
        }

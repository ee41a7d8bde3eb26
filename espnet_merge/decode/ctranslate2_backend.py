"""Decoding by CTranslate2. A model is converted when it is first used."""

import hashlib
import importlib.util
import itertools
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from espnet_merge.checkpoint.padding import Padding
from espnet_merge.decode.batches import features
from espnet_merge.decode.expert import load_expert
from espnet_merge.decode.identify import IdentifiedLanguage
from espnet_merge.decode.sample import Draw
from espnet_merge.decode.search import Hypothesis
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.utterances import Utterance
from espnet_merge.disk.atomic import whole_directory
from espnet_merge.disk.cache import default_cache, made_once
from espnet_merge.errors import InputError
from espnet_merge.whisper.prompt import (
    known_languages,
    language_id,
    load_tokenizer,
    token_id,
)

if TYPE_CHECKING:
    from ctranslate2 import StorageView
    from ctranslate2.models import Whisper
    from transformers import WhisperTokenizer

# Packages that decide what a model and an adapter are converted to.
CONVERTERS = ("ctranslate2", "espnet_merge", "peft", "transformers")


class Group(NamedTuple):
    """Utterances of one length, because CTranslate2 does not mask padding.

    Attributes:
        states: output of the encoder.
        size: number of utterances.
    """

    states: "StorageView"
    size: int


def check_ready(device: str) -> None:
    """Raise ``InputError`` unless CTranslate2, and a GPU if needed, is available."""
    if importlib.util.find_spec("ctranslate2") is None:
        raise InputError(
            "backend ctranslate2 needs the package ctranslate2; it is not installed: "
            "pip install 'espnet_merge[ctranslate2]'."
        )
    import ctranslate2

    if device == "cuda" and not ctranslate2.get_cuda_device_count():
        raise InputError(
            "device cuda needs a GPU that CTranslate2 can use; there is none: use cpu."
        )


def convert(model: Path, adapter: Path | None, digest: str, dtype: str) -> Path:
    """Return the converted model in the user's cache; convert it if it is not there.

    Args:
        model: Hugging Face Whisper directory.
        adapter: PEFT adapter directory; it is folded into the weights.
        digest: digest of the content of both.
        dtype: type of the weights, ``float32`` or ``int8``.
    """
    versions = [version(name) for name in CONVERTERS]
    key = " ".join([digest, dtype, *versions])
    output = default_cache() / "ctranslate2" / hashlib.sha256(key.encode()).hexdigest()
    return made_once(output, lambda place: _write(model, adapter, place, dtype))


def _write(model: Path, adapter: Path | None, output: Path, dtype: str) -> None:
    from ctranslate2.converters import TransformersConverter

    with tempfile.TemporaryDirectory() as folded, whole_directory(output) as part:
        if adapter is not None:
            load_expert(model, adapter, fold=True).save_pretrained(folded)
            load_tokenizer(model).save_pretrained(folded)
            model = Path(folded)
        converter = TransformersConverter(str(model))
        converter.convert(str(part), quantization=dtype, force=True)


class CTranslate2Backend:
    """A Whisper in CTranslate2.

    Args:
        tokenizer: the model's tokenizer.
        converted: directory that ``convert`` returned.
        settings: how to decode.
    """

    def __init__(
        self, tokenizer: "WhisperTokenizer", converted: Path, settings: Settings
    ) -> None:
        import ctranslate2

        self.tokenizer = tokenizer
        self.settings = settings
        self._whisper: Whisper = ctranslate2.models.Whisper(
            str(converted),
            device=settings.device,
            compute_type=settings.dtype,
            intra_threads=settings.threads,
        )
        self._start = token_id(self.tokenizer, "<|startoftranscript|>")

    def encode(
        self,
        batch: Sequence[Utterance],
        adapters: Sequence[int] | None = None,
        padding: Padding | None = None,
    ) -> list[Group]:
        """Run the encoder over utterances sorted by length.

        ``adapters`` is not used: the adapter is folded into the weights.
        """
        import ctranslate2
        import numpy as np

        padding = padding or self.settings.padding
        mels = features(batch, self._whisper.n_mels, *padding)
        groups = []
        for _, same in itertools.groupby(mels, len):
            stacked = np.stack([mel.T for mel in same])
            view = ctranslate2.StorageView.from_array(np.ascontiguousarray(stacked))
            groups.append(Group(self._whisper.encode(view), len(stacked)))
        return groups

    def identify(self, encoded: Sequence[Group]) -> list[IdentifiedLanguage]:
        """Return the most probable language of each utterance."""
        codes = self.settings.languages or known_languages(self.tokenizer)
        for code in codes:
            language_id(self.tokenizer, code)
        languages = []
        for group in encoded:
            for detected in self._whisper.detect_language(group.states):
                probabilities = {token[2:-2]: value for token, value in detected}
                best = max(codes, key=probabilities.__getitem__)
                total = sum(probabilities[code] for code in codes)
                languages.append(IdentifiedLanguage(best, probabilities[best] / total))
        return languages

    def search_and_identify(
        self, encoded: Sequence[Group], prompts: Sequence[list[int]]
    ) -> tuple[list[Hypothesis], list[IdentifiedLanguage]]:
        """Return best hypothesis and most probable language of each utterance."""
        return self.search(encoded, prompts), self.identify(encoded)

    def no_speech(self, encoded: Sequence[Group]) -> list[float]:
        """Return the probability of each utterance that nobody speaks in it."""
        return [
            result.no_speech_prob
            for group in encoded
            for result in self._whisper.generate(
                group.states,
                [[self._start]] * group.size,
                beam_size=1,
                max_length=2,
                return_no_speech_prob=True,
            )
        ]

    def search(
        self, encoded: Sequence[Group], prompts: Sequence[list[int]]
    ) -> list[Hypothesis]:
        """Return the best hypothesis of each utterance; the search stops early."""
        limit = self.settings.max_new_tokens
        # In CTranslate2 a text may take half of max_length; prompt and text together
        # may take all of it, without the last token of the prompt.
        max_length = max(2 * limit, limit + len(prompts[0]) - 1)
        remaining_prompts = iter(prompts)
        hypotheses = []
        for group in encoded:
            results = self._whisper.generate(
                group.states,
                list(itertools.islice(remaining_prompts, group.size)),
                beam_size=self.settings.beam,
                max_length=max_length,
                return_scores=True,
            )
            for result in results:
                tokens = result.sequences_ids[0]
                # CTranslate2 divides the sum, with the log-probability of the end, by
                # the number of tokens without the end: an empty text has no score.
                score = result.scores[0] * len(tokens) if tokens else 0.0
                hypotheses.append(Hypothesis(tokens, score, ended=len(tokens) < limit))
        return hypotheses

    def sample(
        self,
        encoded: Sequence[Group],
        prompts: Sequence[list[int]],
        draws: Sequence[Draw],
    ) -> list[Hypothesis]:
        """Refuse, as ``Settings`` does: CTranslate2 has one seed for all utterances."""
        raise NotImplementedError

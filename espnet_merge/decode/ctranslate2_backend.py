"""Decoding by CTranslate2, with a model that is converted when first it is needed."""

import hashlib
import importlib.util
import itertools
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from espnet_merge.decode.batches import features
from espnet_merge.decode.expert import load_expert
from espnet_merge.decode.identify import Heard
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

# What makes the converted model of a directory and an adapter.
CONVERTERS = ("ctranslate2", "espnet_merge", "peft", "transformers")


class Group(NamedTuple):
    """Utterances of one length: CTranslate2 masks no padding.

    states: what the encoder heard.
    size: utterances.
    """

    states: "StorageView"
    size: int


def check_ready(device: str) -> None:
    """Raise ``InputError`` unless CTranslate2 is there, and the GPU if one is asked."""
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
    """Return the converted model in the user's cache, made if it is not there.

    Args:
        model: Hugging Face Whisper directory.
        adapter: PEFT adapter directory; it is folded into the weights.
        digest: of what both hold.
        dtype: of the weights, ``float32`` or ``int8``.
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
        tokenizer: of the model.
        converted: the model, as ``convert`` made it.
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
        self, batch: Sequence[Utterance], adapters: Sequence[int] | None = None
    ) -> list[Group]:
        """Run the encoder over utterances, sorted by their length, without adapters."""
        import ctranslate2
        import numpy as np

        settings = self.settings
        mels = features(batch, self._whisper.n_mels, settings.pad_to, settings.tail)
        groups = []
        for _, same in itertools.groupby(mels, len):
            stacked = np.stack([mel.T for mel in same])
            view = ctranslate2.StorageView.from_array(np.ascontiguousarray(stacked))
            groups.append(Group(self._whisper.encode(view), len(stacked)))
        return groups

    def identify(self, encoded: Sequence[Group]) -> list[Heard]:
        """Return the most probable language of each utterance."""
        codes = self.settings.languages or known_languages(self.tokenizer)
        for code in codes:
            language_id(self.tokenizer, code)
        heard = []
        for group in encoded:
            for found in self._whisper.detect_language(group.states):
                chances = {token[2:-2]: chance for token, chance in found}
                best = max(codes, key=chances.__getitem__)
                heard.append(
                    Heard(best, chances[best] / sum(chances[code] for code in codes))
                )
        return heard

    def search_and_hear(
        self, encoded: Sequence[Group], prompts: Sequence[list[int]]
    ) -> tuple[list[Hypothesis], list[Heard]]:
        """Return the best hypothesis of each utterance, and its language."""
        return self.search(encoded, prompts), self.identify(encoded)

    def no_speech(self, encoded: Sequence[Group]) -> list[float]:
        """Return the probability that nobody speaks, of each utterance."""
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
        """Return the best hypothesis of each utterance; it always stops early."""
        most = self.settings.max_new_tokens
        # A text takes half of CTranslate2's length at most, and all of it together with
        # the prompt, whose last token is not counted.
        longest = max(2 * most, most + len(prompts[0]) - 1)
        rest = iter(prompts)
        found = []
        for group in encoded:
            results = self._whisper.generate(
                group.states,
                list(itertools.islice(rest, group.size)),
                beam_size=self.settings.beam,
                max_length=longest,
                return_scores=True,
            )
            for result in results:
                tokens = result.sequences_ids[0]
                # Its score is the sum, the end's share included, over the tokens alone;
                # thus it knows none of an empty text.
                score = result.scores[0] * len(tokens) if tokens else 0.0
                found.append(Hypothesis(tokens, score, ended=len(tokens) < most))
        return found

    def sample(
        self,
        encoded: Sequence[Group],
        prompts: Sequence[list[int]],
        seeds: dict[int, int],
        temperature: float,
    ) -> list[Hypothesis]:
        """Refuse: CTranslate2 has one seed for all utterances; settings forbid it."""
        raise NotImplementedError

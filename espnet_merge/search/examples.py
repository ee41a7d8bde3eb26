"""Utterances with what the decoder is given: their references, or texts of a model."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import batched
from pathlib import Path

import numpy as np
from transformers import WhisperConfig, WhisperTokenizer

from espnet_merge.decode.batches import batches
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.torch_backend import TorchBackend
from espnet_merge.decode.utterances import read_utterances
from espnet_merge.errors import InputError
from espnet_merge.search.texts import texts_of
from espnet_merge.speech import AUTO
from espnet_merge.statistics.utterances import Target, read_targets
from espnet_merge.whisper.prompt import encode_target, languages_known, prompt_ids


def with_references(
    data: Sequence[Path], tokenizer: WhisperTokenizer, model: Path, settings: Settings
) -> dict[Path, list[Target]]:
    """Return the utterances of each set, with their references.

    Args:
        data: Kaldi data directories.
        tokenizer: of the models.
        model: Hugging Face directory of the base.
        settings: language and task of all utterances, if they say one.

    Raises:
        InputError: an utterance is longer than Whisper's window, or has no text.
    """
    longest = WhisperConfig.from_pretrained(model).max_target_positions
    language = None if settings.language == AUTO else settings.language
    return {
        path: read_targets(path, tokenizer, longest, language, settings.task)
        for path in data
    }


def with_own_texts(
    data: Sequence[Path], backend: TorchBackend
) -> dict[Path, list[Target]]:
    """Return the utterances of each set, with the texts that a model decodes.

    Args:
        data: Kaldi data directories; they need no texts.
        backend: the model, and how it decodes.

    Raises:
        InputError: an utterance is longer than Whisper's window, or of no known
            language.
    """
    settings, tokenizer = backend.settings, backend.tokenizer
    if settings.language == AUTO:
        raise InputError(
            "language auto does not suit: a text is predicted after its language; write"
            " utt2lang, or give a language."
        )
    longest = backend.whisper.config.max_target_positions
    known = languages_known(tokenizer)
    found = {}
    for path in data:
        utterances = read_utterances(path, settings.language, settings.task, known)
        texts = texts_of(backend, utterances, batches(utterances, settings.batch_size))
        found[path] = [
            Target(
                one,
                encode_target(tokenizer, texts[one.name], one.language, one.task)[
                    :longest
                ],
                len(prompt_ids(tokenizer, one.language, one.task)),
            )
            for one in utterances
        ]
    return found


def drawn(
    sets: Mapping[Path, Sequence[Target]], count: int, seed: int
) -> Iterator[list[list[Target]]]:
    """Yield utterances of each set, without end; each once before any comes again.

    Args:
        sets: the utterances of each.
        count: utterances of each set; the last of a round may be fewer.
        seed: of the order.
    """
    streams = [
        _endless(targets, count, np.random.default_rng([seed, number]))
        for number, targets in enumerate(sets.values())
    ]
    while True:
        yield [next(stream) for stream in streams]


def _endless(
    targets: Sequence[Target], count: int, order: np.random.Generator
) -> Iterator[list[Target]]:
    while True:
        for part in batched(order.permutation(len(targets)), count):
            yield [targets[place] for place in part]

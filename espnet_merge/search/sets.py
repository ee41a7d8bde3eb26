"""The sets that a search decodes or gives to the decoder, and what they are."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import WhisperTokenizer

from espnet_merge.decode.mode import digests_of
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.utterances import evenly_spaced, read_utterances
from espnet_merge.errors import InputError
from espnet_merge.score.utterances import read_references
from espnet_merge.search.examples import with_references
from espnet_merge.search.objective import DevSet, ErrorRates, Losses
from espnet_merge.statistics.utterances import Target
from espnet_merge.whisper.fetched import languages_of
from espnet_merge.whisper.prompt import load_tokenizer


@dataclass(frozen=True)
class Sets:
    """Development sets, read.

    Args:
        data: of what the merge is for.
        kept: of what it must not forget.
        model: Hugging Face directory of the base.
        settings: how they are decoded.
    """

    data: Mapping[Path, DevSet]
    kept: Mapping[Path, DevSet]
    model: Path
    settings: Settings

    @property
    def tokenizer(self) -> WhisperTokenizer:
        """The tokenizer of all models."""
        return load_tokenizer(self.model)

    def error_rates(self, normalizer: str) -> ErrorRates:
        """Return what decodes them."""
        return ErrorRates(
            self.data, self.kept, self.settings, self.tokenizer, normalizer
        )

    def losses(self) -> Losses:
        """Return what measures their loss.

        Raises:
            InputError: an utterance is longer than Whisper's window, or has no text.
        """
        return Losses(
            self._targets(self.data),
            self._targets(self.kept),
            self.settings,
            self.tokenizer,
        )

    def _targets(self, sets: Mapping[Path, DevSet]) -> dict[Path, list[Target]]:
        found = with_references(list(sets), self.tokenizer, self.model, self.settings)
        # By name: of one whose language is to be heard the reference knows more.
        chosen = {path: {u.name for u in one.utterances} for path, one in sets.items()}
        return {
            path: [one for one in targets if one.utterance.name in chosen[path]]
            for path, targets in found.items()
        }

    def record(self) -> list[dict[str, Any]]:
        """Return the path of each set, and digests of its utterances."""
        return [
            {
                "path": str(path),
                **digests_of(one.utterances),
                "text_sha256": hashlib.sha256(
                    json.dumps(one.references).encode()
                ).hexdigest(),
            }
            for path, one in {**self.data, **self.kept}.items()
        ]


def read_sets(
    data: Sequence[Path],
    kept: Sequence[Path],
    model: Path,
    settings: Settings,
    count: int | None = None,
) -> Sets:
    """Read the sets.

    Args:
        data: of what the merge is for.
        kept: of what it must not forget.
        model: Hugging Face directory of the base.
        settings: how they are decoded.
        count: utterances of each, evenly spaced; None for all.

    Raises:
        InputError: one is given twice, or a file is missing or broken.
    """
    every = [path.resolve() for path in (*data, *kept)]
    if len(set(every)) < len(every):
        raise InputError(
            "--data and --keep must name each set once; got"
            f" {' '.join(map(str, (*data, *kept)))}."
        )
    known = languages_of(model)
    settings.check_languages(known)

    def read(path: Path) -> DevSet:
        utterances = read_utterances(
            path, settings.language, settings.task, known, whole_set=True
        )
        references = read_references(path)
        if {u.name for u in utterances} != {u.name for u in references}:
            raise InputError(
                f"{path}: wav.scp and text must have the same ids; run espnet-merge"
                " validate."
            )
        chosen = evenly_spaced(utterances, count)
        names = {u.name for u in chosen}
        return DevSet(chosen, [u for u in references if u.name in names])

    return Sets(
        {path: read(path) for path in data},
        {path: read(path) for path in kept},
        model,
        settings,
    )

"""The similarity of languages to a Whisper, measured on a data directory of each."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from numpy.typing import ArrayLike
from tqdm import tqdm

from espnet_merge.decode.batches import batches
from espnet_merge.decode.expert import check_expert, load_expert
from espnet_merge.decode.identify import posterior
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.torch_backend import TorchBackend
from espnet_merge.decode.utterances import Utterance, read_utterances
from espnet_merge.disk.atomic import whole_directory
from espnet_merge.disk.cache import default_cache
from espnet_merge.disk.digest import sha256_of_all
from espnet_merge.errors import InputError
from espnet_merge.files import SIMILARITY_JSON
from espnet_merge.inspection.tables import aligned
from espnet_merge.lora.adapter import base_digest
from espnet_merge.lora.heat_map import DPI, draw
from espnet_merge.lora.similarity import mean_posterior, ranked
from espnet_merge.speech import AUTO
from espnet_merge.whisper.converted import as_directory
from espnet_merge.whisper.fetched import languages_of
from espnet_merge.whisper.prompt import load_tokenizer


@dataclass(frozen=True)
class Similarity:
    """Measured similarities; printed, a table in percent.

    Attributes:
        record: content of ``similarity.json``: model and data, the number of
            ``utterances`` of each language, and its ``similarity`` to each candidate,
            in [0, 1].
    """

    record: dict[str, Any]

    def __repr__(self) -> str:
        rows, counts = self.record["similarity"], self.record["utterances"]
        columns = list(next(iter(rows.values())))
        table = [["language", "utterances", *columns, "most similar other"]]
        for language, row in rows.items():
            percentages = [f"{100 * value:.2f}" for value in row.values()]
            nearest = ranked(row, set(columns) - {language})[0].language
            table.append([language, str(counts[language]), *percentages, nearest])
        return "\n".join(aligned(table))

    def write(self, output: Path, *, overwrite: bool = False) -> None:
        """Write ``similarity.json`` and ``similarity.png``.

        Args:
            output: directory to write.
            overwrite: replace an older result there.
        """
        with whole_directory(output, SIMILARITY_JSON, overwrite=overwrite) as folder:
            picture = draw(self.record["similarity"])
            picture.savefig(folder / "similarity.png", dpi=DPI)
            text = json.dumps(self.record, indent=1)
            (folder / SIMILARITY_JSON).write_text(f"{text}\n", encoding="utf-8")


def measure(model: Path, data: Sequence[Path], settings: Settings) -> Similarity:
    """Average the probabilities of the candidates over the utterances of each language.

    Args:
        model: Whisper: a directory, or OpenAI's file.
        data: Kaldi data directories, each of one language.
        settings: ``languages`` are the candidates, None for those of the data. Padding,
            device, threads and batch size are used, too; the rest is ignored.

    Raises:
        InputError: the data is bad, there are fewer than two candidates, or one is
            unknown.
    """
    sets = _read(data)
    candidates = list(sets) if settings.languages is None else settings.languages
    settings = replace(settings, language=AUTO, languages=candidates)
    backend = _load(as_directory(model, default_cache()), settings)
    rows = {language: _row(backend, spoken) for language, spoken in sets.items()}
    return Similarity(
        {
            "model": str(model),
            "base_sha256": base_digest(backend.whisper),
            "pad_to": settings.pad_to,
            "tail": settings.tail,
            "data": dict(zip(sets, map(str, data), strict=True)),
            "audio_sha256": {
                language: sha256_of_all(utterance.audio for utterance in spoken)
                for language, spoken in sets.items()
            },
            "utterances": {language: len(spoken) for language, spoken in sets.items()},
            "similarity": rows,
        }
    )


def _read(directories: Sequence[Path]) -> dict[str, list[Utterance]]:
    """Return the utterances of each language."""
    sets: dict[str, list[Utterance]] = {}
    for data in directories:
        utterances = read_utterances(data)
        languages = sorted({utterance.language for utterance in utterances})
        if len(languages) > 1:
            raise InputError(
                f"{data}: similarity needs data of one language; utt2lang names "
                f"{', '.join(languages)}: split it, and give each part to --data."
            )
        if languages[0] in sets:
            raise InputError(
                f"{data}: each language must have one data directory; {languages[0]} "
                "has two: combine them with utils/combine_data.sh."
            )
        sets[languages[0]] = utterances
    return sets


def _load(model: Path, settings: Settings) -> TorchBackend:
    candidates = settings.languages or []
    settings.check_languages(languages_of(model))
    if len(candidates) < 2:
        raise InputError(
            "similarity needs at least two candidates, because their probabilities sum "
            f"to one; got only {candidates[0]}: name the trained languages by "
            "--languages."
        )
    check_expert(model, None)
    torch.set_num_threads(settings.threads)
    whisper = load_expert(model, device=settings.device)
    return TorchBackend(whisper, load_tokenizer(model), settings)


def _row(backend: TorchBackend, utterances: list[Utterance]) -> dict[str, float]:
    """Return the similarity of one language to each candidate."""
    candidates = backend.settings.languages or []
    mean = mean_posterior(_posteriors(backend, utterances, candidates))
    return dict(zip(candidates, mean.tolist(), strict=True))


def _posteriors(
    backend: TorchBackend, utterances: list[Utterance], candidates: list[str]
) -> Iterator[ArrayLike]:
    name = utterances[0].language
    with tqdm(desc=name, total=len(utterances), unit="utt", disable=None) as bar:
        for batch in batches(utterances, backend.settings.batch_size):
            encoded = backend.encode(batch)
            rows = posterior(backend.whisper, encoded, backend.tokenizer, candidates)
            yield rows.cpu().numpy()
            bar.update(len(batch))

r"""Measure how alike languages sound to a Whisper, by its own guess of the language.

A row is a data directory of one language: the probability of each candidate, averaged
over its utterances. With --output also writes similarity.json and similarity.png. For
the warm start of a new language name the trained ones as candidates, and not the new.

For example:
  espnet-merge similarity --model exp/base --data dump/raw/cs_train \
    --languages es,fr,it,ru --output exp/similarity
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from espnet_merge.bin.decode import codes
from espnet_merge.errors import InputError

if TYPE_CHECKING:
    from espnet_merge.decode.torch_backend import TorchBackend
    from espnet_merge.decode.utterances import Utterance

RECORD = "similarity.json"
# Options that are settings of decoding, too; the first two change what is measured.
SETTINGS = ("pad_to", "tail", "batch_size", "device", "threads")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add(
        "--model",
        type=Path,
        required=True,
        help="Whisper: a directory, or OpenAI's .pt",
    )
    add(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        metavar="DATADIR",
        help="Kaldi data directories, each of one language by its utt2lang",
    )
    add(
        "--languages", type=codes, help="candidates, such as es,it,ru (those of --data)"
    )
    add("--output", type=Path, metavar="DIR", help="directory to write")
    add("--overwrite", action="store_true", help="replace an older one in --output")
    add(
        "--pad-to",
        type=float,
        default=30.0,
        help="seconds to pad to; 30: as trained, 0: true length (%(default)g)",
    )
    add("--tail", type=float, default=0.0, help="seconds of silence after each (0)")
    add(
        "--batch-size", type=int, default=8, help="utterances in one pass (%(default)s)"
    )
    add("--device", choices=("cpu", "cuda"), default="cpu", help="%(default)s")
    add("--threads", type=int, default=1, help="of the CPU (%(default)s)")


def main(args: argparse.Namespace) -> None:
    """Measure, print, and write if told to.

    Raises:
        InputError: bad data, fewer than two candidates, or one that is unknown.
    """
    from espnet_merge.disk.atomic import check_output
    from espnet_merge.disk.digest import sha256_of_all
    from espnet_merge.inspection.tables import aligned
    from espnet_merge.lora.adapter import base_digest

    if args.output:
        check_output(args.output, overwrite=args.overwrite, mark=RECORD)
    sets = _read(args.data)
    backend = _load(
        args, candidates=list(sets) if args.languages is None else args.languages
    )
    rows = {language: _row(backend, said) for language, said in sets.items()}
    counts = {language: len(said) for language, said in sets.items()}
    print("\n".join(aligned(_table(rows, counts))))
    if args.output:
        record = {
            "model": str(args.model),
            "base_sha256": base_digest(backend.whisper),
            **{name: getattr(args, name) for name in SETTINGS[:2]},
            "data": {
                lang: str(data) for lang, data in zip(sets, args.data, strict=True)
            },
            "audio_sha256": {
                lang: sha256_of_all(one.audio for one in said)
                for lang, said in sets.items()
            },
            "utterances": counts,
            "similarity": rows,
        }
        _write(record, args.output, overwrite=args.overwrite)
        print(args.output / RECORD, file=sys.stderr)


def _read(directories: Sequence[Path]) -> "dict[str, list[Utterance]]":
    """Return the utterances of each language."""
    from espnet_merge.decode.utterances import read_utterances

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


def _load(args: argparse.Namespace, candidates: list[str]) -> "TorchBackend":
    import torch

    from espnet_merge.decode.expert import check_expert, load_expert
    from espnet_merge.decode.settings import Settings
    from espnet_merge.decode.torch_backend import TorchBackend
    from espnet_merge.disk.cache import default_cache
    from espnet_merge.speech import AUTO
    from espnet_merge.whisper.converted import as_directory
    from espnet_merge.whisper.fetched import languages_of
    from espnet_merge.whisper.prompt import load_tokenizer

    knobs = {name: getattr(args, name) for name in SETTINGS}
    model = as_directory(args.model, default_cache())
    known = languages_of(model)
    settings = Settings(language=AUTO, languages=candidates, known=known, **knobs)
    if len(candidates) < 2:
        raise InputError(
            "similarity needs two candidates at least, for they share the mass; got "
            f"{candidates[0]} alone: name the trained languages by --languages."
        )
    check_expert(model, None)
    torch.set_num_threads(settings.threads)
    whisper = load_expert(model, device=settings.device)
    return TorchBackend(whisper, load_tokenizer(model), settings)


def _row(backend: "TorchBackend", utterances: "list[Utterance]") -> dict[str, float]:
    """Return the similarity of one language to each candidate."""
    from espnet_merge.lora.similarity import mean_posterior

    candidates = backend.settings.languages or []
    mean = mean_posterior(_posteriors(backend, utterances, candidates))
    return dict(zip(candidates, mean.tolist(), strict=True))


def _posteriors(
    backend: "TorchBackend", utterances: "list[Utterance]", candidates: list[str]
) -> Iterator[Any]:
    from tqdm import tqdm

    from espnet_merge.decode.batches import batches
    from espnet_merge.decode.identify import posterior

    name = utterances[0].language
    with tqdm(desc=name, total=len(utterances), unit="utt", disable=None) as bar:
        for batch in batches(utterances, backend.settings.batch_size):
            encoded = backend.encode(batch)
            heard = posterior(backend.whisper, encoded, backend.tokenizer, candidates)
            yield heard.cpu().numpy()
            bar.update(len(batch))


def _table(
    rows: dict[str, dict[str, float]], counts: dict[str, int]
) -> list[list[str]]:
    """Return rows of text: shares in percent, and the most similar other language."""
    from espnet_merge.lora.similarity import ranked

    columns = list(next(iter(rows.values())))
    table = [["language", "utterances", *columns, "most similar other"]]
    for language, row in rows.items():
        shares = [f"{100 * share:.2f}" for share in row.values()]
        nearest = ranked(row, set(columns) - {language})[0]
        table.append([language, str(counts[language]), *shares, nearest.language])
    return table


def _write(record: dict[str, Any], output: Path, *, overwrite: bool) -> None:
    from espnet_merge.disk.atomic import whole_directory
    from espnet_merge.lora.heat_map import DPI, draw

    with whole_directory(output, RECORD, overwrite=overwrite) as folder:
        draw(record["similarity"]).savefig(folder / "similarity.png", dpi=DPI)
        text = json.dumps(record, indent=1)
        (folder / RECORD).write_text(f"{text}\n", encoding="utf-8")

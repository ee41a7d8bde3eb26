"""Decode a data directory into ``text`` and ``text.json``."""

import hashlib
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tqdm import tqdm
from transformers import WhisperTokenizer

from espnet_merge.checkpoint.identity import files_digest
from espnet_merge.checkpoint.padding import KEY, Padding
from espnet_merge.data.table import write_table
from espnet_merge.decode.batches import batches
from espnet_merge.decode.ctranslate2_backend import (
    CTranslate2Backend,
    check_ready,
    convert,
)
from espnet_merge.decode.decoded import (
    Decoded,
    existing_mode,
    print_speed,
    print_summary,
)
from espnet_merge.decode.expert import check_expert, load_expert, load_routed
from espnet_merge.decode.identify import IdentifiedLanguage
from espnet_merge.decode.journal import Batches, Journal, Record
from espnet_merge.decode.recognize import Backend, Recognizer
from espnet_merge.decode.record import DecodedSegment, utterance_record
from espnet_merge.decode.routes import Routes
from espnet_merge.decode.search import Hypothesis
from espnet_merge.decode.segments import cut
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.torch_backend import TorchBackend
from espnet_merge.decode.utterances import Utterance, read_utterances
from espnet_merge.disk.atomic import whole_file
from espnet_merge.disk.digest import sha256_of_all
from espnet_merge.errors import InputError
from espnet_merge.files import TEXT_JSON
from espnet_merge.job_array import Shard
from espnet_merge.speech import AUTO
from espnet_merge.whisper.fetched import languages_of
from espnet_merge.whisper.prompt import load_tokenizer

PACKAGES = ("espnet_merge", "torch", "transformers")  # and that of the backend
# Keys of the mode that change no hypothesis.
NOT_COMPARED = ("model", "adapter", "adapters", "router", "versions", KEY)
# Keys of the mode: digest of what is at a path -> the path.
PLACES = {f"{name}_sha256": name for name in ("model", "adapter", "adapters", "router")}


class Job(NamedTuple):
    """One data directory to decode.

    Attributes:
        output: directory for the hypotheses.
        mode: what is recorded with the hypotheses.
        utterances: utterances of the data directory.
    """

    output: Path
    mode: Record
    utterances: list[Utterance]


def transcribe(
    model: Path,
    sets: Sequence[tuple[Path, Path]],
    settings: Settings,
    adapter: Path | None = None,
    routes: Routes | None = None,
    *,
    overwrite: bool = False,
    shard: Shard | None = None,
    trained: Padding | None = None,
) -> Decoded:
    """Write the hypotheses of data directories; all are checked before any is decoded.

    A killed decoding is resumed; a finished one is left as it is. With the same
    settings the files are the same to the byte. That also holds for job arrays: each
    job saves the batches of its part, and a call without ``shard`` reads them.

    Args:
        model: Hugging Face Whisper directory.
        sets: Kaldi data directory and output directory of each set.
        settings: how to decode.
        adapter: PEFT adapter directory, trained on ``model``.
        routes: many adapters in place of ``adapter``, and which one an utterance gets.
        overwrite: replace hypotheses that were made with other settings.
        shard: part of each set's batches to decode and save, without hypotheses.
        trained: padding with which the model or its adapter was trained, if recorded.

    Raises:
        InputError: input is bad, or there are other hypotheses already.
    """
    for checked in routes.adapters.values() if routes else [adapter]:
        check_expert(model, checked)
    if settings.backend == "ctranslate2":
        check_ready(settings.device)
    mode = _mode(model, adapter, routes, settings)
    common = {**mode, KEY: trained and trained._asdict()}
    known = languages_of(model)
    jobs = []
    for data, output in sets:
        utterances = read_utterances(
            data, settings.language, settings.task, known, whole_set=True
        )
        if routes is not None and not routes.router and settings.language != AUTO:
            routes.check(data, (utterance.language for utterance in utterances))
        job = Job(output, {**common, **digests_of(utterances)}, utterances)
        if not _is_done(job, overwrite=overwrite):
            jobs.append(job)
    if jobs:
        torch.set_num_threads(settings.threads)
        tokenizer = load_tokenizer(model)
        # Loaded when first called: other jobs of an array may have decoded everything.
        recognizer = cache(lambda: _load(model, adapter, settings, tokenizer, routes))
        for job in jobs:
            _run(job, recognizer, settings, tokenizer, shard, overwrite=overwrite)
    return Decoded(tuple(output for _, output in sets), shard)


def _load(
    model: Path,
    adapter: Path | None,
    settings: Settings,
    tokenizer: WhisperTokenizer,
    routes: Routes | None,
) -> Recognizer:
    mixtures = routes.mixtures.items() if routes else ()
    return Recognizer(
        load_backend(model, adapter, settings, tokenizer, routes),
        routes,
        {n: load_backend(model, path, settings, tokenizer) for n, path in mixtures},
    )


def load_backend(
    model: Path,
    adapter: Path | None,
    settings: Settings,
    tokenizer: WhisperTokenizer,
    routes: Routes | None = None,
) -> Backend[Any]:
    """Return what runs the network, with one adapter, with many, or with none.

    Raises:
        InputError: files are bad, an adapter has another base, or a GPU or package is
            missing.
    """
    if settings.backend == "ctranslate2":
        digest = f"{files_digest(model)} {adapter and files_digest(adapter)}"
        converted = convert(model, adapter, digest, settings.dtype)
        return CTranslate2Backend(tokenizer, converted, settings)
    device, dtype = settings.device, settings.dtype
    if routes is None:
        whisper = load_expert(model, adapter, device=device, dtype=dtype)
    else:
        own = list(routes.stacked.values())
        whisper = load_routed(model, own, routes.router, device=device, dtype=dtype)
    return TorchBackend(whisper, tokenizer, settings)


def _run(
    job: Job,
    recognizer: Callable[[], Recognizer],
    settings: Settings,
    tokenizer: WhisperTokenizer,
    shard: Shard | None,
    *,
    overwrite: bool,
) -> None:
    todo = batches(cut(job.utterances, settings.tail), settings.batch_size)
    if not job.output.exists():
        recognizer()  # loaded first: a model that cannot be loaded leaves no directory
    header = {**_compared(job.mode), "pieces_sha256": _listed(itertools.chain(*todo))}
    with Journal(job.output, header, shard) as journal:
        if _is_done(job, overwrite=overwrite):  # another process may have finished it
            return
        start = time.monotonic()
        decoded = _decode(job, recognizer, todo, journal, shard or Shard(1, 1))
        print_speed(decoded, time.monotonic() - start)
        if shard is None:
            records = _records(job, settings, tokenizer, todo, journal.batches)
            print_summary(records.values())
            _write(job, records)
            journal.remove()


def _decode(
    job: Job,
    recognizer: Callable[[], Recognizer],
    todo: list[list[Utterance]],
    journal: Journal,
    shard: Shard,
) -> list[Utterance]:
    """Decode the batches of a part that the journal lacks; return their segments.

    A part is every n-th batch. Batches are sorted by length, so parts cost the same.
    """
    own = range(shard.number - 1, len(todo), shard.total)
    missing = [number for number in own if number not in journal.batches]
    total = sum(len(todo[number]) for number in own)
    segments = [segment for number in missing for segment in todo[number]]
    with tqdm(
        desc=str(job.output), total=total, initial=total - len(segments), unit="utt"
    ) as bar:
        for number in missing:
            decoded = recognizer()(todo[number])
            journal.append(
                number,
                [
                    {
                        "heard": segment.language,
                        "hypothesis": segment.hypothesis,
                        "adapter": segment.adapter,
                        "noted": segment.identified,
                    }
                    for segment in decoded
                ],
            )
            bar.update(len(decoded))
    return segments


def _records(
    job: Job,
    settings: Settings,
    tokenizer: WhisperTokenizer,
    todo: list[list[Utterance]],
    decoded: Batches,
) -> dict[str, Record]:
    """Join the segments of each utterance, in the order of the data directory."""
    segments: dict[str, list[DecodedSegment]] = {
        utterance.name: [] for utterance in job.utterances
    }
    for number, batch in enumerate(todo):
        for audio, record in zip(batch, decoded[number], strict=True):
            identified = record["noted"]
            segments[audio.name].append(
                DecodedSegment(
                    audio,
                    IdentifiedLanguage(*record["heard"]),
                    Hypothesis(*record["hypothesis"]),
                    record["adapter"],
                    identified and IdentifiedLanguage(*identified),
                )
            )
    return {
        utterance.name: utterance_record(
            utterance,
            segments[utterance.name],
            tokenizer,
            timestamps=settings.timestamps,
        )
        for utterance in job.utterances
    }


def _mode(
    model: Path, adapter: Path | None, routes: Routes | None, settings: Settings
) -> Record:
    """Return settings, models and versions: all that hypotheses depend on but data."""
    adapters = None if routes is None else routes.adapters
    router = routes and routes.router and routes.router.path
    return {
        **vars(settings),
        "model": str(model),
        "model_sha256": files_digest(model),
        "adapter": adapter and str(adapter),
        "adapter_sha256": adapter and files_digest(adapter),
        "adapters": adapters and {name: str(path) for name, path in adapters.items()},
        "adapters_sha256": adapters
        and {name: files_digest(path) for name, path in adapters.items()},
        "fallback": routes and routes.fallback,
        "router": router and str(router),
        "router_sha256": router and files_digest(router),
        "versions": {
            name: version(name) for name in sorted({*PACKAGES, settings.backend})
        },
    }


def _compared(mode: Record) -> Record:
    return {name: value for name, value in mode.items() if name not in NOT_COMPARED}


def digests_of(utterances: Sequence[Utterance]) -> Record:
    """Return the SHA-256 of the list of utterances, and of their audio."""
    return {
        "data_sha256": _listed(utterances),
        "audio_sha256": sha256_of_all(u.audio for u in utterances if not u.defect),
    }


def _listed(utterances: Iterable[Utterance]) -> str:
    """Return the SHA-256 of names, spans, languages and tasks."""
    lines = [(u.name, u.start, u.samples, u.language, u.task) for u in utterances]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


def _is_done(job: Job, *, overwrite: bool) -> bool:
    """Return whether the same hypotheses exist already, and print that.

    If the content of the same model or adapter path has changed, they are decoded
    again.

    Raises:
        InputError: other hypotheses exist, and ``overwrite`` is false.
    """
    existing = existing_mode(job.output)
    if existing is None:
        return False
    current = _compared(job.mode)
    differing = [name for name in current if existing.get(name) != current[name]]
    if not differing:
        print(f"{job.output}: already decoded.", file=sys.stderr)
        return True
    differences = ", ".join(
        f"{name}: {existing.get(name)!s:.12} there, {current[name]!s:.12} now"
        for name in differing
    )
    differences = differences if existing else "text.json is not ours"
    same_paths = all(existing.get(name) == job.mode[name] for name in PLACES.values())
    if same_paths and set(differing) <= PLACES.keys():
        print(f"{job.output}: decoding anew ({differences}).", file=sys.stderr)
    elif not overwrite:
        raise InputError(
            f"{job.output}: holds hypotheses made otherwise ({differences}): choose "
            "another --output, or pass --overwrite to replace them."
        )
    return False


def _write(job: Job, records: dict[str, Record]) -> None:
    (job.output / TEXT_JSON).unlink(missing_ok=True)
    texts = {name: record["text"] for name, record in records.items()}
    write_table(job.output / "text", texts)
    with whole_file(job.output / TEXT_JSON) as part:
        content = {"mode": job.mode, "utterances": records}
        text = json.dumps(content, indent=1, ensure_ascii=False)
        part.write_text(f"{text}\n", "utf-8")

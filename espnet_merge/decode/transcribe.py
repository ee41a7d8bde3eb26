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
from espnet_merge.decode.decoded import Decoded, say_speed, say_what_is_odd
from espnet_merge.decode.expert import check_expert, load_expert, load_routed
from espnet_merge.decode.identify import Heard
from espnet_merge.decode.journal import Batches, Journal, Record
from espnet_merge.decode.pieces import cut
from espnet_merge.decode.recognize import Backend, Recognizer
from espnet_merge.decode.record import Said, describe
from espnet_merge.decode.routes import Routes
from espnet_merge.decode.search import Hypothesis
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
# Of the mode, what names a place or a time and changes no result.
NOT_COMPARED = ("model", "adapter", "adapters", "versions", KEY)
# Of the mode, the digest of what is in a place, to the name of the place.
PLACES = {f"{name}_sha256": name for name in ("model", "adapter", "adapters")}


class Job(NamedTuple):
    """One data directory to decode, and where to."""

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
    """Write the hypotheses of data directories, checked all before the first is begun.

    A decoding that was killed goes on where it was; one that is finished is left as
    it is. With the same settings the files are the same to the byte, also where jobs
    have decoded a shard each: what they kept is taken by the call without a shard.

    Args:
        model: Hugging Face Whisper directory.
        sets: Kaldi data directory and the directory for its ``text`` and
            ``text.json``, of each set.
        settings: how to decode.
        adapter: PEFT adapter directory, trained on ``model``.
        routes: in place of one adapter, that of each language.
        overwrite: replace hypotheses that were made with other settings.
        shard: of the batches of each set; they are kept, and no hypotheses written.
        trained: how the model, or its adapter, was trained, if its files say so.

    Raises:
        InputError: bad input, or other hypotheses are there already.
    """
    for one in routes.adapters.values() if routes else [adapter]:
        check_expert(model, one)
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
        if routes is not None and settings.language != AUTO:
            routes.check(data, (utterance.language for utterance in utterances))
        job = Job(output, {**common, **_digests(utterances)}, utterances)
        if not _is_done(job, overwrite=overwrite):
            jobs.append(job)
    if jobs:
        torch.set_num_threads(settings.threads)
        tokenizer = load_tokenizer(model)
        # No weights are read where other jobs have decoded all.
        recognizer = cache(
            lambda: Recognizer(
                load_backend(model, adapter, settings, tokenizer, routes), routes
            )
        )
        for job in jobs:
            _run(job, recognizer, settings, tokenizer, shard, overwrite=overwrite)
    return Decoded(tuple(output for _, output in sets), shard)


def load_backend(
    model: Path,
    adapter: Path | None,
    settings: Settings,
    tokenizer: WhisperTokenizer,
    routes: Routes | None = None,
) -> Backend[Any]:
    """Return what runs the network, with one adapter, with many, or with none.

    Raises:
        InputError: bad files, an adapter of another base, or a GPU or package that is
            not there.
    """
    if settings.backend == "ctranslate2":
        digest = f"{files_digest(model)} {adapter and files_digest(adapter)}"
        converted = convert(model, adapter, digest, settings.dtype)
        return CTranslate2Backend(tokenizer, converted, settings)
    device, dtype = settings.device, settings.dtype
    if routes is None:
        whisper = load_expert(model, adapter, device=device, dtype=dtype)
    else:
        adapters = list(routes.adapters.values())
        whisper = load_routed(model, adapters, device=device, dtype=dtype)
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
        recognizer()  # what cannot be loaded leaves no directory behind
    header = {**_compared(job.mode), "pieces_sha256": _listed(itertools.chain(*todo))}
    with Journal(job.output, header, shard) as journal:
        if _is_done(job, overwrite=overwrite):  # by another process, just now
            return
        start = time.monotonic()
        decoded = _decode(job, recognizer, todo, journal, shard or Shard(1, 1))
        say_speed(decoded, time.monotonic() - start)
        if shard is None:
            records = _records(job, settings, tokenizer, todo, journal.batches)
            say_what_is_odd(records.values())
            _write(job, records)
            journal.remove()


def _decode(
    job: Job,
    recognizer: Callable[[], Recognizer],
    todo: list[list[Utterance]],
    journal: Journal,
    shard: Shard,
) -> list[Utterance]:
    """Decode what is missing of a shard, and return it.

    Batches are sorted by length, so that every n-th of them make shards of one cost.
    """
    own = range(shard.number - 1, len(todo), shard.total)
    missing = [number for number in own if number not in journal.batches]
    total = sum(len(todo[number]) for number in own)
    pieces = [piece for number in missing for piece in todo[number]]
    with tqdm(
        desc=str(job.output), total=total, initial=total - len(pieces), unit="utt"
    ) as bar:
        for number in missing:
            said = recognizer()(todo[number])
            journal.append(
                number,
                [
                    {
                        "heard": one.heard,
                        "hypothesis": one.hypothesis,
                        "adapter": one.adapter,
                        "noted": one.noted,
                    }
                    for one in said
                ],
            )
            bar.update(len(said))
    return pieces


def _records(
    job: Job,
    settings: Settings,
    tokenizer: WhisperTokenizer,
    todo: list[list[Utterance]],
    decoded: Batches,
) -> dict[str, Record]:
    """Put the pieces together again, in the order of the data directory."""
    said: dict[str, list[Said]] = {utterance.name: [] for utterance in job.utterances}
    for number, batch in enumerate(todo):
        for piece, record in zip(batch, decoded[number], strict=True):
            heard = Heard(*record["heard"])
            hypothesis = Hypothesis(*record["hypothesis"])
            noted = record["noted"] and Heard(*record["noted"])
            said[piece.name].append(
                Said(piece, heard, hypothesis, record["adapter"], noted)
            )
    return {
        utterance.name: describe(
            utterance,
            said[utterance.name],
            tokenizer,
            timestamps=settings.timestamps,
        )
        for utterance in job.utterances
    }


def _mode(
    model: Path, adapter: Path | None, routes: Routes | None, settings: Settings
) -> Record:
    """What the hypotheses depend on, the data apart, and where it was."""
    adapters = None if routes is None else routes.adapters
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
        "versions": {
            name: version(name) for name in sorted({*PACKAGES, settings.backend})
        },
    }


def _compared(mode: Record) -> Record:
    return {name: value for name, value in mode.items() if name not in NOT_COMPARED}


def _digests(utterances: Sequence[Utterance]) -> Record:
    """SHA-256 of what was decoded, and of its audio."""
    return {
        "data_sha256": _listed(utterances),
        "audio_sha256": sha256_of_all(u.audio for u in utterances if not u.defect),
    }


def _listed(utterances: Iterable[Utterance]) -> str:
    """SHA-256 over what was decoded as what."""
    lines = [(u.name, u.start, u.samples, u.language, u.task) for u in utterances]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


def _is_done(job: Job, *, overwrite: bool) -> bool:
    """Return whether the hypotheses are there already, and say so.

    Those of a model that has changed in its place since are decoded anew.

    Raises:
        InputError: there are others, which are not to be replaced.
    """
    there = _mode_there(job.output)
    if there is None:
        return False
    now = _compared(job.mode)
    differ = {name for name in now if there.get(name) != now[name]}
    if not differ:
        print(f"{job.output}: already decoded.", file=sys.stderr)
        return True
    said = ", ".join(
        f"{name}: {there.get(name)!s:.12} there, {now[name]!s:.12} now"
        for name in now
        if name in differ
    )
    said = said if there else "text.json is not ours"
    same_place = all(there.get(name) == job.mode[name] for name in PLACES.values())
    if same_place and differ <= PLACES.keys():
        print(f"{job.output}: decoding anew ({said}).", file=sys.stderr)
    elif not overwrite:
        raise InputError(
            f"{job.output}: holds hypotheses made otherwise ({said}): choose "
            "another --output, or pass --overwrite to replace them."
        )
    return False


def _mode_there(output: Path) -> Record | None:
    """Return the mode of the hypotheses in a directory; None: there are none.

    ``text.json`` is written last: where it is, all is.
    """
    path = output / TEXT_JSON
    if not path.is_file():
        return None
    try:
        return dict(json.loads(path.read_text("utf-8"))["mode"])
    except (ValueError, KeyError, TypeError):
        return {}  # not ours


def _write(job: Job, records: dict[str, Record]) -> None:
    (job.output / TEXT_JSON).unlink(missing_ok=True)
    texts = {name: record["text"] for name, record in records.items()}
    write_table(job.output / "text", texts)
    with whole_file(job.output / TEXT_JSON) as part:
        content = {"mode": job.mode, "utterances": records}
        part.write_text(
            json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8"
        )

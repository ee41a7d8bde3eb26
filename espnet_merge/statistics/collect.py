"""Run an expert over a data directory and store the statistics that it collects."""

import hashlib
import json
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from tqdm import tqdm
from transformers import WhisperConfig

from espnet_merge.checkpoint import open_checkpoint, open_expert
from espnet_merge.checkpoint.identity import expert_digest, files_digest
from espnet_merge.checkpoint.statistics import FILE, write_tensors
from espnet_merge.decode.batches import batches
from espnet_merge.decode.expert import check_expert, load_expert
from espnet_merge.decode.utterances import evenly_spaced
from espnet_merge.disk.atomic import check_output, whole_directory
from espnet_merge.disk.digest import sha256_of_all
from espnet_merge.statistics.fisher import FisherDiagonal
from espnet_merge.statistics.gram import Gram
from espnet_merge.statistics.settings import StatisticsSettings
from espnet_merge.statistics.sums import as_array
from espnet_merge.statistics.utterances import Target, data_digest, read_targets
from espnet_merge.whisper.prompt import load_tokenizer

RECORD = "statistics.yaml"


def collect(
    model: Path,
    data: Path,
    output: Path,
    settings: StatisticsSettings,
    adapter: Path | None = None,
    *,
    overwrite: bool = False,
    every: float = 60.0,
) -> None:
    """Write the statistics of an expert into the new directory ``output``.

    The sums are saved next to ``output`` from time to time. A run that was killed
    resumes from them and writes the same bytes. If ``output`` already holds statistics
    of the same expert, data and settings, nothing is done.

    Args:
        model: Hugging Face Whisper directory.
        data: Kaldi data directory with ``wav.scp``, ``text`` and ``utt2lang``.
        output: directory to write.
        settings: what to collect, and how the expert sees the data.
        adapter: PEFT adapter directory, trained on ``model``.
        overwrite: replace other statistics in ``output``.
        every: seconds between two saves of the sums.

    Raises:
        InputError: bad input, or ``output`` holds other statistics.
    """
    check_expert(model, adapter)
    tokenizer = load_tokenizer(model)
    limit = WhisperConfig.from_pretrained(model).max_target_positions
    found = read_targets(data, tokenizer, limit, settings.language, settings.task)
    targets = {x.utterance.name: x for x in evenly_spaced(found, settings.utterances)}
    base = open_checkpoint(model)
    expert = expert_digest(base, open_expert(adapter) if adapter else base)
    record = _record(settings) | {
        "expert_sha256": expert,
        "model_sha256": files_digest(model),
        "adapter_sha256": adapter and files_digest(adapter),
        "data_sha256": data_digest(list(targets.values())),
        "audio_sha256": sha256_of_all(x.utterance.audio for x in targets.values()),
    }
    if _is_there(output, record):
        print(f"{output}: already collected.", file=sys.stderr)
        return
    check_output(output, overwrite=overwrite, mark=RECORD)
    collector = _collector(model, adapter, settings)
    kept = output.with_name(f".{output.name}.sums.safetensors")
    job = hashlib.sha256(json.dumps(record).encode()).hexdigest()
    collector.sums.resume(kept, job)
    last_save = time.monotonic()
    for _ in _added(collector, targets, settings, str(output)):
        if time.monotonic() - last_save >= every:
            collector.sums.save(kept, job)
            last_save = time.monotonic()
    record |= _places(model, adapter, data) | {"versions": _versions()}
    with whole_directory(output, RECORD, overwrite=overwrite) as part:
        _write(part, collector, settings.kind, expert, record)
    kept.unlink(missing_ok=True)


def _collector(
    model: Path, adapter: Path | None, settings: StatisticsSettings
) -> FisherDiagonal | Gram:
    torch.set_num_threads(settings.threads)
    whisper = load_expert(model, adapter, device=settings.device, fold=True)
    silence = {"pad_to": settings.pad_to, "tail": settings.tail}
    if settings.kind == "fisher":
        return FisherDiagonal(whisper, labels=settings.labels, **silence)
    return Gram(whisper, **silence)


def _added(
    collector: FisherDiagonal | Gram,
    targets: Mapping[str, Target],
    settings: StatisticsSettings,
    title: str,
) -> Iterator[None]:
    """Add the batches that are not yet in the sums; yield after each."""
    todo = batches([item.utterance for item in targets.values()], settings.size)
    sums = collector.sums
    done = sums.batches
    with tqdm(
        desc=f"{settings.kind} {title}",
        total=len(targets),
        initial=sum(map(len, todo[:done])),
        unit="utt",
    ) as bar:
        for batch in todo[done:]:
            collector.add([targets[utterance.name] for utterance in batch])
            sums.batches += 1
            yield
            bar.update(len(batch))


def _write(
    directory: Path,
    collector: FisherDiagonal | Gram,
    kind: str,
    expert: str,
    record: Mapping[str, Any],
) -> None:
    means = collector.sums.means()
    # Facts are of the means.
    facts = json.dumps(collector.facts())
    metadata = {"kind": kind, "expert": expert, "facts": facts}
    tensors = map(as_array, means.values())
    write_tensors(directory / FILE, collector.sums.shapes, tensors, metadata)
    text = yaml.safe_dump(dict(record), sort_keys=False)
    (directory / RECORD).write_text(text, encoding="utf-8")


def _record(settings: StatisticsSettings) -> dict[str, Any]:
    """Return what of the settings determines the statistics."""
    values = vars(settings) | {"batch_size": settings.size}
    del values["threads"]
    return values


def _places(model: Path, adapter: Path | None, data: Path) -> dict[str, str | None]:
    places = {"model": model, "adapter": adapter, "data": data}
    return {name: str(path) if path else None for name, path in places.items()}


def _versions() -> dict[str, str]:
    names = ("espnet_merge", "torch", "transformers")
    return {name: version(name) for name in names}


def _is_there(output: Path, record: dict[str, Any]) -> bool:
    try:
        there = yaml.safe_load((output / RECORD).read_text("utf-8"))
        return {name: there[name] for name in record} == record
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return False

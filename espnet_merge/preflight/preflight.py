"""All checks of a run that is to be started, the quick ones first."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from espnet_merge.checkpoint import open_checkpoint
from espnet_merge.data.kaldi import COLUMNS, Tables, write_tables
from espnet_merge.data.limits import Limits
from espnet_merge.decode.recognize import Recognizer
from espnet_merge.decode.record import text_of
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.transcribe import load_backend
from espnet_merge.decode.utterances import Utterance
from espnet_merge.errors import InputError
from espnet_merge.files import UTT2LANG, UTT2TASK, WAV_SCP
from espnet_merge.installation import Finding, check_all
from espnet_merge.preflight.disk import free_disk, gigabytes
from espnet_merge.preflight.repeats import (
    repeated_audio,
    repeated_texts,
    shared_speakers,
)
from espnet_merge.preflight.sets import TEST, TRAIN, VALID, Checked, read_set, usable
from espnet_merge.preflight.texts import unlikely_speed, wrong_script
from espnet_merge.report.environment import versions
from espnet_merge.tasks.rehearsal import Rehearsal, rehearse
from espnet_merge.whisper.fetched import languages_of
from espnet_merge.whisper.prompt import load_tokenizer, token_counter


@dataclass(frozen=True)
class Plan:
    """What a run is going to do.

    Attributes:
        model: Hugging Face directory of the base.
        expdir: directory of its systems.
        sets: split -> formatted data directories.
        limits: split -> limits of the filter.
        trainings: kind -> options of ``whisper_train``.
        systems: kind -> names of the systems; a kind that is not trained is merged.
        jobs: trainings at the same time.
        settings: how the base decodes.
    """

    model: Path
    expdir: Path
    sets: Mapping[str, Sequence[Path]]
    limits: Mapping[str, Limits]
    trainings: Mapping[str, Sequence[str]]
    systems: Mapping[str, Sequence[str]]
    jobs: int
    settings: Settings


def preflight(plan: Plan) -> Iterator[Finding]:
    """Yield what is found of a run that is to be started.

    A finding of state ``note`` may spoil the results; one that ``is_problem`` will
    break the run.

    Raises:
        InputError: the base or a data directory is broken.
    """
    installed = " ".join(f"{name} {version}" for name, version in versions())
    yield Finding("versions", "ok", installed)
    yield from (one for one in check_all(full=False) if one.is_problem)
    count = token_counter(load_tokenizer(plan.model))
    known = languages_of(plan.model)
    sets = [
        read_set(data, split, plan.limits[split], count, known)
        for split in (TRAIN, VALID, TEST)
        for data in plan.sets[split]
    ]
    for check in (
        *(usable, repeated_texts, repeated_audio, shared_speakers),
        *(wrong_script, unlikely_speed),
    ):
        yield from check(sets)
    yield decoded(plan, sets)
    rehearsals: dict[str, Rehearsal] = {}
    for kind, words in plan.trainings.items():
        yield from rehearsed(plan, kind, words, sets, rehearsals)
    if len(rehearsals) == len(plan.trainings):
        floats = open_checkpoint(plan.model).floats.values()
        weights = sum(entry.size for entry in floats)
        yield free_disk(plan.expdir, plan.systems, rehearsals, weights)


def decoded(plan: Plan, sets: Sequence[Checked]) -> Finding:
    """Return what the base makes of one utterance, of usual length."""
    named = [
        (samples, name, number)
        for split in (TEST, VALID, TRAIN)
        for number, one in enumerate(sets)
        if one.split == split
        for name, samples in sorted(one.report.kept.items())
    ][:1000]
    if not named:
        return Finding("decoding", "wrong", "no utterance is usable", "see above")
    samples, name, number = sorted(named)[len(named) // 2]
    tables = sets[number].tables
    utterance = Utterance(
        name,
        Path(tables[WAV_SCP][name]),
        samples,
        tables[UTT2LANG][name],
        tables[UTT2TASK][name],
    )
    start = time.monotonic()
    tokenizer = load_tokenizer(plan.model)
    backend = load_backend(plan.model, None, plan.settings, tokenizer)
    [segment] = Recognizer(backend)([utterance])
    text = text_of(tokenizer, segment.hypothesis.tokens)
    return Finding(
        "decoding by the base",
        "ok",
        f"{name} ({utterance.seconds:.1f} s): {text!r}, reference "
        f"{tables['text'].get(name, '')!r}; {time.monotonic() - start:.1f} s with "
        "loading",
    )


def rehearsed(
    plan: Plan,
    kind: str,
    words: Sequence[str],
    sets: Sequence[Checked],
    rehearsals: dict[str, Rehearsal],
) -> Iterator[Finding]:
    """Yield what a kind of training would do; it is put into ``rehearsals``."""
    training = [one for one in sets if one.split == TRAIN and one.report.kept]
    if not training:
        return
    tables: Tables = {file: {} for file in (WAV_SCP, *COLUMNS)}
    lengths: dict[str, int] = {}
    for one in training:
        lengths |= one.report.kept
        for file, table in tables.items():
            own = one.tables[file]
            table |= {name: own[name] for name in one.report.kept}
    try:
        with tempfile.TemporaryDirectory() as folder:
            write_tables(tables, Path(folder))
            found = rehearse(words, Path(folder), lengths)
    except InputError as error:
        yield Finding(f"training {kind}", "wrong", str(error))
        return
    shown = not rehearsals
    rehearsals[kind] = found
    for name, label in found.labels.items() if shown else ():
        yield Finding("label", "ok", f"{name}: {label}")
    yield Finding(f"training {kind}", "ok", f"trains {found.trained}")
    yield Finding(
        f"longest batch of {kind}",
        "ok",
        f"{found.utterances} utterances of {found.frames / 100:.1f} s as padded: "
        f"{found.seconds:.1f} s forward, backward and step; an epoch of all sets "
        f"{found.epoch / 60:.0f} min",
    )
    yield memory(plan, kind, found)


def memory(plan: Plan, kind: str, found: Rehearsal) -> Finding:
    """Return whether the trainings that run at the same time fit into memory."""
    detail = f"{gigabytes(found.peak)} at the peak"
    if found.on_gpu:
        return Finding(
            f"memory of {kind}", "ok", f"{detail} of {gigabytes(found.room)}"
        )
    detail += f", {plan.jobs} at the same time; {gigabytes(found.room)} on this machine"
    if plan.jobs * found.peak > found.room:
        remedy = "lower --train_nj or batch_size, or train on a larger machine"
        return Finding(f"memory of {kind}", "note", detail, remedy)
    return Finding(f"memory of {kind}", "ok", detail)

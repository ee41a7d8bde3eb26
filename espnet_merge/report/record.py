"""What ``report.html`` shows, as one JSON object."""

import os
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from espnet_merge.errors import InputError
from espnet_merge.objectives.history import PICTURE
from espnet_merge.report import translations
from espnet_merge.report.curves import find_curves
from espnet_merge.report.listening import Heard, embed, hear
from espnet_merge.report.results import Results, by_task
from espnet_merge.report.significance import DESIGN, Tested, fallen, plain
from espnet_merge.report.summary import summary
from espnet_merge.report.tables import INTERVALS, MARKS, how, made_by

READINGS = ("normalized", "raw")
MERGE = "merge.yaml"


class ByTask(NamedTuple):
    """Differences to the base in one decoding mode, by task."""

    transcribed: Tested
    translated: Tested


def record(
    modes: Sequence[Results],
    tested: Mapping[str, ByTask],
    expdir: Path,
    output: Path,
    *,
    origin: Iterable[tuple[str, str]],
    inspect: Path | None = None,
    utterances: int = 100,
    megabytes: float = 8.0,
) -> dict[str, Any]:
    """Return everything that is on the page.

    Args:
        modes: the scores of each decoding mode.
        tested: mode -> differences to the base.
        expdir: directory of the systems.
        output: directory of the page, where its links start.
        origin: name and value of what the results come from.
        inspect: what ``espnet-merge inspect`` wrote, if anything.
        utterances: so many of every set, the worst first.
        megabytes: of audio, all together; 0 for none.

    Raises:
        InputError: hypotheses, references or audio are broken, or ``inspect`` has no
            page.
    """
    plan = modes[0].plan
    first, _ = by_task(modes[0])
    heard = {results.mode: _hear(results, expdir, utterances) for results in modes}
    return {
        # With the recipe's name: nearly every expdir is called exp.
        "title": "/".join(expdir.resolve().parts[-3:]),
        "origin": list(origin),
        "base": plan.base,
        "alpha": DESIGN.alpha,
        "howTested": f"{INTERVALS} {MARKS}",
        "averages": list(first.plan.averages),
        "systems": [_system(modes[0], name, expdir, output) for name in plan.kinds],
        "sets": [_set(modes[0], name) for name in plan.sets],
        "modes": [
            _mode(results, first.metric_name, tested[results.mode], heard[results.mode])
            for results in modes
        ],
        "curves": [curve._asdict() for curve in find_curves(_merges(modes[0], expdir))],
        "clips": _clips(modes[0], heard, megabytes),
        "inspect": _inspection(inspect, expdir),
        "conflicts": _conflicts(plan.kinds, expdir),
    }


def summaries(results: Results) -> str:
    """Return the sentences that sum a decoding mode up, of both tasks."""
    transcribed, translated = by_task(results)
    said = [summary(transcribed)] if transcribed.scores else []
    return " ".join([*said, translations.summary(translated)]).strip()


def _system(results: Results, name: str, expdir: Path, output: Path) -> dict[str, Any]:
    files = made_by(expdir, name)
    scores = (score for (system, _), score in results.scores.items() if system == name)
    mode: Mapping[str, Any] = next((score["mode"] for score in scores), {})
    merges = [file for file in files if file.name == MERGE]
    return {
        "name": name,
        "kind": results.plan.kinds[name],
        "files": [os.path.relpath(file, output) for file in files],
        "merge": merges[0].read_text(encoding="utf-8") if merges else None,
        "sha256": mode.get("adapter_sha256") or mode.get("model_sha256"),
    }


def _set(results: Results, name: str) -> dict[str, Any]:
    score = results.set_info(name)
    if score is None:
        return {"name": name, "metric": "wer", "languages": []}
    words, characters = (score["metrics"][m]["normalized"] for m in ("wer", "cer"))
    return {
        "name": name,
        "metric": results.error_rate_of(name),
        "languages": list(score["languages"]),
        "utterances": score["utterances"],
        "words": words["reference"],
        "characters": characters["reference"],
    }


def _mode(
    results: Results,
    main: str,
    tested: ByTask,
    heard: Mapping[str, Sequence[Heard]],
) -> dict[str, Any]:
    transcribed, translated = by_task(results)
    metrics: dict[str, str | None] = {
        main: None,
        **{name: name.lower() for name in ("WER", "CER") if name != main},
    }
    return {
        "name": results.mode,
        "how": how(results),
        "silences": results.silences,
        "normalizer": results.normalizer,
        "summary": summaries(results),
        "missing": results.missing,
        "columns": transcribed.rates().columns,
        "rates": {
            name: {r: transcribed.rates(r, metric).rows for r in READINGS}
            for name, metric in metrics.items()
        },
        "tests": plain(tested.transcribed),
        "fallen": fallen(transcribed),
        "translations": translations.record(translated, tested.translated),
        "utterances": {
            name: [utterance._asdict() for utterance in listed]
            for name, listed in heard.items()
        },
    }


def _hear(results: Results, expdir: Path, limit: int) -> dict[str, list[Heard]]:
    """Return the utterances of every set whose texts are still there."""
    heard = {}
    for name in results.plan.sets:
        data, found = results.reference(name), results.texts(name, expdir)
        if data and (data / "text").is_file() and found:
            metric = results.error_rate_of(name)
            wanted = results.worst(name, limit)
            heard[name] = hear(data, found, results.normalizer, metric, wanted)
    return heard


def _clips(
    results: Results,
    heard: Mapping[str, Mapping[str, Sequence[Heard]]],
    megabytes: float,
) -> dict[str, dict[str, str]]:
    """Return set -> utterance -> audio, chosen by the first mode."""
    texts = heard[results.mode]
    folders = {name: data for name in texts if (data := results.reference(name))}
    wanted = {data: [u.name for u in texts[name]] for name, data in folders.items()}
    clips = embed(wanted, megabytes)
    return {
        name: {
            utterance: clip
            for (folder, utterance), clip in clips.items()
            if folder == data
        }
        for name, data in folders.items()
    }


def _merges(results: Results, expdir: Path) -> dict[str, Any]:
    files = {
        system: expdir / system / "model" / MERGE for system in results.plan.merges
    }
    return {
        system: yaml.safe_load(file.read_text(encoding="utf-8"))
        for system, file in files.items()
        if file.is_file()
    }


def _conflicts(systems: Iterable[str], expdir: Path) -> dict[str, str]:
    """Return system -> picture of how its objectives conflicted in training."""
    files = {system: expdir / system / PICTURE for system in systems}
    return {
        system: f"data:image/png;base64,{b64encode(file.read_bytes()).decode()}"
        for system, file in files.items()
        if file.is_file()
    }


def _inspection(named: Path | None, expdir: Path) -> str | None:
    page = (named or expdir / "inspect") / "inspect.html"
    if page.is_file():
        return page.read_text(encoding="utf-8")
    if named:
        raise InputError(
            f"--inspect must name what 'espnet-merge inspect --output' wrote; {named} "
            "has no inspect.html."
        )
    return None

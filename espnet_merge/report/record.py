"""The data of ``report.html``, as one JSON object."""

import os
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from espnet_merge.errors import InputError
from espnet_merge.files import CONFLICT_PNG, INSPECT_HTML, MERGE_YAML
from espnet_merge.report import translations
from espnet_merge.report.curves import find_curves
from espnet_merge.report.examples import AlignedUtterance, align_hypotheses, embed
from espnet_merge.report.findings import Findings
from espnet_merge.report.results import Results, by_task
from espnet_merge.report.significance import DESIGN, as_json
from espnet_merge.report.tables import INTERVALS, MARKS, describe_decoding, made_by

READINGS = ("normalized", "raw")


def record(
    modes: Sequence[Results],
    findings: Mapping[str, Findings],
    expdir: Path,
    output: Path,
    *,
    origin: Iterable[tuple[str, str]],
    inspect: Path | None = None,
    running: bool = False,
    utterances: int = 100,
    megabytes: float = 8.0,
) -> dict[str, Any]:
    """Return everything that is on the page.

    Args:
        modes: scores of each decoding mode.
        findings: decoding mode -> findings in its scores.
        expdir: directory of the systems.
        output: directory of the page, to which its links are relative.
        origin: name and value of each fact about the origin.
        inspect: output directory of ``espnet-merge inspect``, if there is one.
        running: whether more scores will come.
        utterances: number of utterances of every set, the worst first.
        megabytes: size of all audio; 0 for none.

    Raises:
        InputError: hypotheses, references or audio are broken, or ``inspect`` has no
            page.
    """
    plan = modes[0].plan
    first, _ = by_task(modes[0])
    examples = {
        results.mode: _examples(results, expdir, utterances) for results in modes
    }
    return {
        # With the recipe's name, because nearly every expdir is called exp.
        "title": "/".join(expdir.resolve().parts[-3:]),
        "origin": list(origin),
        "running": running,
        "base": plan.base,
        "alpha": DESIGN.alpha,
        "howTested": f"{INTERVALS} {MARKS}",
        "averages": list(first.plan.averages),
        "systems": [_system(modes[0], name, expdir, output) for name in plan.kinds],
        "sets": [_set(modes[0], name) for name in plan.sets],
        "modes": [
            _mode(r, first.metric_name, findings[r.mode], examples[r.mode])
            for r in modes
        ],
        "curves": [curve._asdict() for curve in find_curves(_merges(modes[0], expdir))],
        "clips": _clips(modes[0], examples[modes[0].mode], megabytes),
        "inspect": _inspection(inspect, expdir),
        "conflicts": _conflicts(plan.kinds, expdir),
    }


def _system(results: Results, name: str, expdir: Path, output: Path) -> dict[str, Any]:
    files = made_by(expdir, name)
    scores = (score for (system, _), score in results.scores.items() if system == name)
    mode: Mapping[str, Any] = next((score["mode"] for score in scores), {})
    merges = [file for file in files if file.name == MERGE_YAML]
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
    found: Findings,
    examples: Mapping[str, Sequence[AlignedUtterance]],
) -> dict[str, Any]:
    transcribed, translated = by_task(results)
    metrics: dict[str, str | None] = {
        main: None,
        **{name: name.lower() for name in ("WER", "CER") if name != main},
    }
    return {
        "name": results.mode,
        "how": describe_decoding(results),
        "silences": results.paddings,
        "normalizer": results.normalizer,
        "summary": f"{found.choice} {found.summary}".strip(),
        "missing": results.missing,
        "columns": transcribed.rates().columns,
        "rates": {
            name: {r: transcribed.rates(r, metric).rows for r in READINGS}
            for name, metric in metrics.items()
        },
        "tests": as_json(found.transcribed),
        "fallen": found.fallen,
        "translations": translations.record(translated, found.translated),
        "utterances": {
            name: [utterance._asdict() for utterance in utterances]
            for name, utterances in examples.items()
        },
    }


def _examples(
    results: Results, expdir: Path, limit: int
) -> dict[str, list[AlignedUtterance]]:
    """Return set -> worst utterances, for sets whose texts still exist."""
    examples = {}
    for name in results.plan.sets:
        data, texts = results.reference(name), results.texts(name, expdir)
        if data and (data / "text").is_file() and texts:
            examples[name] = align_hypotheses(
                data,
                texts,
                results.normalizer,
                results.error_rate_of(name),
                results.worst(name, limit),
            )
    return examples


def _clips(
    results: Results,
    examples: Mapping[str, Sequence[AlignedUtterance]],
    megabytes: float,
) -> dict[str, dict[str, str]]:
    """Return set -> utterance -> audio of the examples."""
    folders = {name: data for name in examples if (data := results.reference(name))}
    wanted = {data: [u.name for u in examples[name]] for name, data in folders.items()}
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
        system: expdir / system / "model" / MERGE_YAML for system in results.plan.merges
    }
    return {
        system: yaml.safe_load(file.read_text(encoding="utf-8"))
        for system, file in files.items()
        if file.is_file()
    }


def _conflicts(systems: Iterable[str], expdir: Path) -> dict[str, str]:
    """Return system -> picture of the conflicts of its training objectives."""
    files = {system: expdir / system / CONFLICT_PNG for system in systems}
    return {
        system: f"data:image/png;base64,{b64encode(file.read_bytes()).decode()}"
        for system, file in files.items()
        if file.is_file()
    }


def _inspection(named: Path | None, expdir: Path) -> str | None:
    page = (named or expdir / "inspect") / INSPECT_HTML
    if page.is_file():
        return page.read_text(encoding="utf-8")
    if named:
        raise InputError(
            "--inspect must name an output directory of espnet-merge inspect; "
            f"{named} has no inspect.html."
        )
    return None

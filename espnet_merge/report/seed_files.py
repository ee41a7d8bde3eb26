"""Small files, one for each seed, from which the table over seeds is made."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from espnet_merge.checkpoint.padding import KEY
from espnet_merge.disk.atomic import whole_file
from espnet_merge.errors import InputError, warn
from espnet_merge.report.environment import commit, versions
from espnet_merge.report.modes import SETTINGS
from espnet_merge.report.runs import Row, Run, Runs, check_runs, walk
from espnet_merge.report.seed_plan import SeedPlan
from espnet_merge.score.outcome import Outcome
from espnet_merge.score.packed import pack, unpack

# Of the content; files of another are refused.
FORMAT = 1
# What files must have in common to be joined, besides what tables always need.
COMMON = ("configuration", "normalizer", "rules_digest")
ONE_WAY = "run the seeds of both in one way, or move one of the files away"


@dataclass(frozen=True)
class Loaded:
    """Seeds read from files.

    Attributes:
        runs: of all of them; a seed is named as its file up to the first dot, so that
            seed_0.lora.json has further systems of seed_0.json.
        plans: what each file was kept for.
        facts: file -> what it holds and what made it, in words.
    """

    runs: Runs
    plans: Sequence[SeedPlan]
    facts: Mapping[Path, str]


def save(
    path: Path,
    runs: Runs,
    plan: SeedPlan,
    configuration: str,
    made_of: Mapping[str, str] | None = None,
) -> str:
    """Write what one seed's systems made of each utterance.

    Args:
        path: of the file; its name without ending is the name of the seed.
        runs: one of each system on each set.
        plan: what the table of all seeds shall show.
        configuration: how the systems were made, for all seeds alike.
        made_of: system -> how it was made beyond that, for all seeds alike.

    Returns:
        What was kept, in words.

    Raises:
        InputError: a system has two runs on a set, runs are not of the same set, or
            ``made_of`` names what is no system.
    """
    check_runs(runs, plan.base)
    plan.check(runs)
    _check_one_seed(runs, made_of or {})
    sets: dict[str, Run] = {}
    modes: dict[tuple[str, str], Mapping[str, Any]] = {}
    rows: dict[str, dict[str, str]] = {}
    accuracy: dict[str, dict[str, float]] = {}
    for system, name, run in walk(runs):
        sets.setdefault(name, run)
        rows.setdefault(system, {})[name] = pack(run.outcome.rows)
        modes[system, name] = _mode_of(run)
        if run.language_accuracy is not None:
            accuracy.setdefault(system, {})[name] = run.language_accuracy
    first = next(iter(sets.values()))
    content = {
        "format": FORMAT,
        "made_by": {**dict(versions()), "commit": commit()},
        "configuration": configuration,
        "made_of": dict(made_of or {}),
        "normalizer": first.normalizer,
        "rules_digest": first.rules,
        "plan": asdict(plan),
        "modes": _grouped(modes),
        "sets": {
            name: {
                "metric": run.metric,
                "digest": run.outcome.digest,
                "lengths": pack([run.outcome.lengths]),
            }
            for name, run in sets.items()
        },
        "language_accuracy": accuracy,
        "systems": rows,
    }
    with whole_file(path) as part:
        part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return f"{path}: {_describe(content)}"


def load(paths: Sequence[Path]) -> Loaded:
    """Read the seeds of several files.

    Args:
        paths: of files that ``save`` wrote.

    Raises:
        InputError: a file is broken, or two have a system of one seed, are of another
            configuration or rules, or have a system that was made in two ways.
    """
    runs: dict[str, dict[str, dict[str, Run]]] = {}
    contents: dict[Path, dict[str, Any]] = {}
    for path in paths:
        content = _read(path)
        for other, known in contents.items():
            _check_pair(path, content, other, known)
        contents[path] = content
        for system, name, run in _runs(path, content):
            seeds = runs.setdefault(system, {}).setdefault(name, {})
            # No seed changes the base: it is there once, unless machines disagree.
            if system != content["plan"]["base"] or _is_new(run, seeds.values()):
                seeds[seed_of(path)] = run
    bases = {content["plan"]["base"] for content in contents.values()}
    return Loaded(
        {
            system: row if system in bases else _whole(system, row)
            for system, row in runs.items()
        },
        [SeedPlan(**content["plan"]) for content in contents.values()],
        {path: _describe(content) for path, content in contents.items()},
    )


def seed_of(path: Path) -> str:
    """Return the name of the seed that a file is of: its own up to the first dot."""
    return path.name.partition(".")[0]


def _check_one_seed(runs: Runs, made_of: Mapping[str, str]) -> None:
    if unknown := made_of.keys() - runs.keys():
        raise InputError(
            f"--made-of must name systems of --row; {', '.join(sorted(unknown))}: none."
        )
    firsts: dict[str, Run] = {}
    for system, name, run in walk(runs):
        if len(runs[system][name]) > 1:
            raise InputError(
                f"--save takes one seed, a directory of each set; {system} has two of "
                f"{name}: save each seed on its own."
            )
        first = firsts.setdefault(name, run)
        if run.outcome.digest != first.outcome.digest:
            raise InputError(
                f"{run.place}: must be of the same references as {first.place}; "
                "they are others: decode and score all on one set, or leave it out."
            )


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        found = content["format"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path}: must be what 'espnet-merge seeds --save' wrote; "
            f"{type(error).__name__} {error}."
        ) from error
    if found != FORMAT:
        raise InputError(
            f"{path}: must be of format {FORMAT}, which this version reads; is of "
            f"{found}: save it again."
        )
    return content


def _check_pair(
    path: Path, content: Mapping[str, Any], other: Path, known: Mapping[str, Any]
) -> None:
    twice = content["systems"].keys() & known["systems"].keys()
    twice -= {content["plan"]["base"]}
    if twice and seed_of(path) == seed_of(other):
        raise InputError(
            f"{path} and {other} must not have the same systems, for both are of "
            f"{seed_of(path)} by their names; both have {', '.join(sorted(twice))}: "
            "leave one out, or rename it."
        )
    if content["systems"] == known["systems"]:
        warn(f"{path}: has the same errors as {other} in every system: is it a copy?")
    for name in COMMON:
        if content[name] != known[name]:
            raise InputError(
                f"{path}: must have the {name} of {other}, {known[name]!r}; has "
                f"{content[name]!r}: {ONE_WAY}."
            )
    ways, others = (one.get("made_of", {}) for one in (content, known))
    for system in ways.keys() & others.keys():
        if ways[system] != others[system]:
            raise InputError(
                f"{path}: must have {system} made as in {other}, {others[system]!r}; "
                f"it is by {ways[system]!r}: {ONE_WAY}."
            )


def _runs(path: Path, content: Mapping[str, Any]) -> Iterator[tuple[str, str, Run]]:
    modes = {
        (system, name): group["mode"]
        for group in content["modes"]
        for system, names in group["systems"].items()
        for name in names
    }
    sets = {
        name: (own["metric"], own["digest"], unpack(own["lengths"])[0])
        for name, own in content["sets"].items()
    }
    for system, row in content["systems"].items():
        for name, packed in row.items():
            outcome = Outcome(*sets[name], unpack(packed))
            _, digest, lengths = sets[name]
            if len(outcome.rows) != len(lengths):
                raise InputError(
                    f"{path}: {system} must have {len(lengths)} utterances of {name}; "
                    f"has {len(outcome.rows)}: save it again."
                )
            run = Run(
                place=path,
                metric=outcome.metric,
                normalizer=content["normalizer"],
                rules=content["rules_digest"],
                mode=modes[system, name],
                value=outcome.value,
                language_accuracy=content["language_accuracy"]
                .get(system, {})
                .get(name),
                size={"utterances": len(lengths), "digest": digest},
                read=partial(_same, outcome),
            )
            yield system, name, run


def _same(outcome: Outcome) -> Outcome:
    return outcome


def _is_new(run: Run, others: Iterable[Run]) -> bool:
    return all(run.outcome != other.outcome for other in others)


def _whole(system: str, row: Row) -> Row:
    """Return the sets that a system has of all its seeds.

    Where all have the same errors, it was trained once, and one run stands for all.
    """
    seeds = list(dict.fromkeys(seed for own in row.values() for seed in own))
    whole = {}
    for name, own in row.items():
        if missing := [seed for seed in seeds if seed not in own]:
            warn(
                f"{system} has {name} of {', '.join(own)} and not of "
                f"{', '.join(missing)}: left out; save these seeds again."
            )
            continue
        first = next(iter(own))
        once = all(run.outcome == own[first].outcome for run in own.values())
        whole[name] = {first: own[first]} if once else own
    return whole


def _mode_of(run: Run) -> dict[str, Any]:
    """Return what of the mode may tell two runs apart."""
    return {name: run.mode[name] for name in (*SETTINGS, KEY) if name in run.mode}


def _grouped(
    modes: Mapping[tuple[str, str], Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Return each mode once, with the sets of each system that were decoded so."""
    groups: list[dict[str, Any]] = []
    for (system, name), mode in modes.items():
        group = next((one for one in groups if one["mode"] == mode), None)
        if group is None:
            groups.append(group := {"mode": mode, "systems": {}})
        group["systems"].setdefault(system, []).append(name)
    return groups


def _describe(content: Mapping[str, Any]) -> str:
    made = content["made_by"]
    return (
        f"{len(content['systems'])} systems on {len(content['sets'])} sets, by "
        f"espnet_merge {made['espnet_merge']} ({made['commit']}) with torch "
        f"{made['torch']}"
    )

"""The tables of RESULTS.md and of the terminal."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet_merge.files import CONFIG_YAML, MERGE_YAML, ROUTER_JSON
from espnet_merge.report.grid import Grid
from espnet_merge.report.modes import PADDING, describe_mode
from espnet_merge.report.plan import FULL, IN_DOMAIN, Plan
from espnet_merge.report.results import Results, by_task
from espnet_merge.report.significance import DESIGN, Tested
from espnet_merge.score.identification import describe_cell

MISSING = "–"
SIGNIFICANT = "†"
INTERVALS = (
    f"In brackets: {100 * (1 - DESIGN.alpha):g} % interval by bootstrap over"
    " utterances, p by permutation."
)
MARKS = (
    f"{SIGNIFICANT}: significant, p < {DESIGN.alpha:g} by permutation of"
    " utterances; for the sets with Holm's correction over those of the system."
)


def markdown(results: Results, tested: Tested) -> Iterator[str]:
    """Yield the tables of one decoding mode."""
    name, mode = results.metric_name, describe_decoding(results)
    compared = map(results.plan.expert_for, results.plan.averages.get(IN_DOMAIN, []))
    experts = ", ".join(dict.fromkeys(e or MISSING for e in compared))
    clean = f"normalizer `{results.normalizer}`"
    yield from section(f"{name} (%), {clean}, {mode}", results, results.rates())
    yield (
        "**Bold**: best of all systems. *Italics*: best merge. "
        f"Columns {_in_italics(results.plan.averages)}: macro average of the sets left "
        f"of it{', of all of them in *full*' if FULL in results.plan.averages else ''}."
    )
    yield ""
    raw = results.rates("raw")
    yield from section(f"{name} (%), raw text, {mode}", results, raw)
    if name != "CER":
        cer = results.rates(metric="cer")
        yield from section(f"CER (%), {clean}, {mode}", results, cer)
    yield from section(
        f"Normalised performance (a): expert / system (%), {name}, {clean}, {mode}; "
        f"experts {experts}",
        results,
        results.relative(),
        best=max,
    )
    yield from section(
        "Normalised performance (b): (zero-shot − system) / (zero-shot − expert) (%), "
        f"{name}, {clean}, {mode}; experts {experts}",
        results,
        results.gap_closed(),
        best=max,
    )
    yield from section(
        f"Difference to {results.plan.base} (points of {name}), {clean}, {mode}",
        results,
        results.differences(),
        signed=True,
        marked=significant(tested),
    )
    yield MARKS
    yield ""
    yield from identification(results)
    yield from language_accuracy(results)
    yield f"### Insertions / utterances with a loop, {clean}, {mode}"
    yield ""
    yield from table_of_systems(
        results,
        [*map(results.label, results.plan.sets)],
        {
            system: [_loops(results, system, name) for name in results.plan.sets]
            for system in results.plan.kinds
        },
    )


def identification(results: Results) -> Iterator[str]:
    """Yield a table of spoken and identified languages, unless languages are given."""
    cells = {
        (system, name, spoken): row
        for (system, name), score in results.scores.items()
        if not score["mode"].get("hear")  # with --hear the language is given
        for spoken, row in score.get("identification", {}).items()
    }
    yield from confusion(results, cells, "identified language")


def confusion(
    results: Results,
    cells: Mapping[tuple[str, str, str], Mapping[str, Any]],
    what: str,
) -> Iterator[str]:
    """Yield a table of numbers of utterances, with the error rate in each cell.

    Args:
        results: scores of the systems.
        cells: system, set and spoken language -> column -> cell.
        what: what the columns are.
    """
    if not cells:
        return
    columns = sorted({name for row in cells.values() for name in row})
    yield (
        f"### Utterances by {what} ({results.metric_name} in them), "
        f"{describe_decoding(results)}"
    )
    yield ""
    yield from markdown_table(
        ["system", "set", "spoken", *columns],
        [
            [*keys, *(describe_cell(row[x]) if x in row else "0" for x in columns)]
            for keys, row in cells.items()
        ],
    )


def language_accuracy(results: Results) -> Iterator[str]:
    """Yield a table of correctly identified languages, if they were recorded."""
    grid = results.language_accuracy()
    if any(cell is not None for row in grid.rows.values() for cell in row):
        mode = describe_decoding(results)
        title = f"Language identified correctly, in % of the utterances, {mode}"
        yield from section(title, results, grid, best=max)


def systems(plan: Plan, expdir: Path, output: Path) -> Iterator[str]:
    """Yield a table of the systems, with links to the origin of their weights."""
    rows = []
    for system, kind in plan.kinds.items():
        files = made_by(expdir, system)
        links = [f"[{file.name}]({os.path.relpath(file, output)})" for file in files]
        rows.append([system, kind, ", ".join(links) or MISSING])
    yield from markdown_table(["system", "kind", "made by"], rows, rule="---|")


def made_by(expdir: Path, system: str) -> list[Path]:
    """Return the files that record the origin of a system's weights, or its router."""
    names = (f"model/{MERGE_YAML}", CONFIG_YAML, f"router/{ROUTER_JSON}")
    return [path for name in names if (path := expdir / system / name).is_file()]


def sets(results: Results) -> Iterator[str]:
    """Yield a table of the sets: size, empty references, and undecoded utterances."""
    rows = []
    for name in results.plan.sets:
        score = results.set_info(name)
        if score is None:
            rows.append([name, *[MISSING] * 6])
            continue
        sizes = [score["metrics"][m]["normalized"]["reference"] for m in ("wer", "cer")]
        languages = " ".join(score["languages"])
        # Scores by an older version do not have the second number.
        special = [
            score["empty_references"],
            sum(score["not_decoded"].values()) if "not_decoded" in score else MISSING,
        ]
        counts = [score["utterances"], *sizes, *special]
        rows.append([name, languages, *map(str, counts)])
    header = ["set", "language", "utterances", "words", "characters"]
    yield from markdown_table([*header, "without words", "not decoded"], rows)
    yield (
        "If a reference has no words, all words of its hypothesis count as insertions. "
        "If an utterance could not be decoded, because its audio is broken or too "
        "short, all words of its reference count as deletions."
    )
    yield ""


def terminal(results: Results) -> Iterator[str]:
    """Yield the main table of each task, for the terminal."""
    transcribed, translated = by_task(results)
    mode = f"{results.mode}: {describe_decoding(results)}"
    if transcribed.scores:
        name, clean = transcribed.metric_name, f"normalizer {results.normalizer}"
        yield from _columns(f"{name} (%), {clean}, {mode}", transcribed.rates())
    if translated.scores:
        yield from _columns(f"BLEU, raw text, {mode}", translated.rates("raw"))


def _columns(title: str, grid: Grid) -> Iterator[str]:
    width = max(map(len, grid.rows))
    sizes = [max(7, len(column) + 2) for column in grid.columns]
    yield title
    heads = zip(grid.columns, sizes, strict=True)
    yield " " * width + "".join(f"{column:>{size}}" for column, size in heads)
    for system, row in grid.rows.items():
        cells = zip(map(_number, row), sizes, strict=True)
        yield f"{system:{width}}" + "".join(f"{text:>{size}}" for text, size in cells)


def best_of(
    values: Mapping[str, float],
    systems: Sequence[str],
    best: Callable[..., str] = min,
) -> str | None:
    """Return the system with the best value; None if no system has a value.

    Args:
        values: system -> value.
        systems: systems to choose from.
        best: ``min`` or ``max``.
    """
    known = [system for system in systems if system in values]
    return best(known, key=lambda system: values[system]) if known else None


def describe_decoding(results: Results) -> str:
    """Return the decoding mode in words, and what is different for the base.

    If the other systems differ in their padding, the rows of the tables state it.
    """
    base = results.plan.base
    settings = results.settings()
    paddings = {text for name, text in results.paddings.items() if name != base}
    if len(paddings) > 1:
        rest = {name: settings[name] for name in settings if name not in PADDING}
        return f"each row as its model was trained, {describe_mode(rest)}"
    mode = describe_mode(settings)
    base_mode = describe_mode(results.settings(base=True))
    other = [part for part in base_mode.split(", ") if part not in mode.split(", ")]
    return f"{mode} ({base}: {', '.join(other)})" if other else mode


def section(
    title: str,
    results: Results,
    grid: Grid,
    best: Callable[..., str] = min,
    signed: bool = False,
    marked: Collection[tuple[str, str]] = (),
) -> Iterator[str]:
    """Yield a table with the best system in bold, and the best merge in italics.

    Args:
        title: heading of the table.
        results: results with the systems.
        grid: numbers of the table.
        best: ``min``, or ``max`` if more is better.
        signed: whether to show plus signs.
        marked: system and column of significant differences.
    """
    yield f"### {title}"
    yield ""
    form = "+z.1f" if signed else "z.1f"
    rows = {
        system: [_number(cell, form) for cell in row]
        for system, row in grid.rows.items()
    }
    for index, column in enumerate(grid.columns):
        values = grid.column(column)
        merges = results.plan.merges
        # Compared as printed: systems that look equal share the first place.
        marks = {
            mark: rows[winner][index]
            for mark, winner in (
                ("*", best_of(values, merges, best)),
                ("**", best_of(values, list(rows), best)),
            )
            if winner
        }
        for system, row in rows.items():
            for mark, value in reversed(marks.items()):
                if row[index] == value and (mark == "**" or system in merges):
                    row[index] = f"{mark}{value}{mark}"
            if (system, column) in marked:
                row[index] += SIGNIFICANT
    heads = [f"**{c}**" if c in results.plan.averages else c for c in grid.columns]
    yield from table_of_systems(results, heads, rows)


def table_of_systems(
    results: Results, header: Sequence[str], rows: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield a table with a row for each system.

    If systems differ in their padding, the last column states it.

    Args:
        results: results of the systems.
        header: names of the columns without the first one, the system.
        rows: system -> cells.
    """
    paddings = results.paddings
    header = ["system", *header, *(["decoded"] if paddings else [])]
    last = {name: [paddings.get(name, MISSING)] if paddings else [] for name in rows}
    yield from markdown_table(
        header, [[name, *row, *last[name]] for name, row in rows.items()]
    )


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], rule: str = "---:|"
) -> Iterator[str]:
    """Yield a table in Markdown, and an empty line; ``rule`` aligns the columns."""
    yield f"| {' | '.join(header)} |"
    yield "|---|" + rule * (len(header) - 1)
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def significant(tested: Tested) -> set[tuple[str, str]]:
    """Return system and column of the significant differences."""
    return {
        (system, column)
        for system, differences in tested.items()
        for column, difference in differences.items()
        if difference.p < DESIGN.alpha
    }


def _loops(results: Results, system: str, name: str) -> str:
    """Return insertions and utterances with a loop, both signs of a looping model."""
    counts = results.counts(system, name, "normalized")
    if counts is None:
        return MISSING
    return f"{counts['insertions']} / {results.scores[system, name]['loops']}"


def _number(value: float | None, form: str = "z.1f") -> str:
    return MISSING if value is None else format(value, form)


def _in_italics(names: Mapping[str, Any]) -> str:
    return " and ".join(f"*{name}*" for name in names)

"""The tables of RESULTS.md and of the terminal."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet_merge.files import CONFIG_YAML, MERGE_YAML
from espnet_merge.report.modes import PADDING, describe
from espnet_merge.report.plan import Plan
from espnet_merge.report.results import Grid, Results, by_task
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
    name, mode = results.metric_name, how(results)
    yardsticks = map(results.plan.expert_for, results.plan.averages.get("trained", []))
    experts = ", ".join(dict.fromkeys(e or MISSING for e in yardsticks))
    clean = f"normalizer `{results.normalizer}`"
    yield from section(f"{name} (%), {clean}, {mode}", results, results.rates())
    yield (
        "**Bold**: best of all systems. *Italics*: best merge. "
        f"Columns {_and(results.plan.averages)}: macro average of the sets left of it."
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
    yield from heard_right(results)
    yield f"### Insertions / utterances with a loop, {clean}, {mode}"
    yield ""
    yield from table_of_systems(
        results,
        [*map(results.label, results.plan.sets)],
        {
            system: [_signs(results, system, name) for name in results.plan.sets]
            for system in results.plan.kinds
        },
    )


def identification(results: Results) -> Iterator[str]:
    """Yield what was heard in each language, where the systems were to find it."""
    cells = {
        (system, name, spoken): row
        for (system, name), score in results.scores.items()
        if not score["mode"].get("hear")  # there the language was given
        for spoken, row in score.get("identification", {}).items()
    }
    if not cells:
        return
    heard = sorted({language for row in cells.values() for language in row})
    yield (
        f"### Utterances by the language that was heard ({results.metric_name} in "
        f"them), {how(results)}"
    )
    yield ""
    yield from markdown_table(
        ["system", "set", "spoken", *heard],
        [
            [*place, *(describe_cell(row[h]) if h in row else "0" for h in heard)]
            for place, row in cells.items()
        ],
    )


def heard_right(results: Results) -> Iterator[str]:
    """Yield in how many utterances each system hears the right language, if known."""
    grid = results.heard_right()
    if any(cell is not None for row in grid.rows.values() for cell in row):
        title = f"Language heard: right in % of the utterances, {how(results)}"
        yield from section(title, results, grid, best=max)


def systems(plan: Plan, expdir: Path, output: Path) -> Iterator[str]:
    """Yield what each system is, with a link to where its weights come from."""
    rows = []
    for system, kind in plan.kinds.items():
        files = made_by(expdir, system)
        links = [f"[{file.name}]({os.path.relpath(file, output)})" for file in files]
        rows.append([system, kind, ", ".join(links) or MISSING])
    yield from markdown_table(["system", "kind", "made by"], rows, rule="---|")


def made_by(expdir: Path, system: str) -> list[Path]:
    """Return the files that say where a system's weights come from."""
    names = (f"model/{MERGE_YAML}", CONFIG_YAML)
    return [path for name in names if (path := expdir / system / name).is_file()]


def sets(results: Results) -> Iterator[str]:
    """Yield the size of every set, and what is in it that is not heard or not said."""
    rows = []
    for name in results.plan.sets:
        score = results.set_info(name)
        if score is None:
            rows.append([name, *[MISSING] * 6])
            continue
        sizes = [score["metrics"][m]["normalized"]["reference"] for m in ("wer", "cer")]
        languages = " ".join(score["languages"])
        # Scores by an older version do not tell the second.
        odd = [
            score["empty_references"],
            sum(score["not_decoded"].values()) if "not_decoded" in score else MISSING,
        ]
        counts = [score["utterances"], *sizes, *odd]
        rows.append([name, languages, *map(str, counts)])
    header = ["set", "language", "utterances", "words", "characters"]
    yield from markdown_table([*header, "without words", "not decoded"], rows)
    yield (
        "Where the reference has no words, all that is recognised counts as inserted; "
        "what could not be decoded, for its audio is broken or too short, counts as "
        "deleted."
    )
    yield ""


def terminal(results: Results) -> Iterator[str]:
    """Yield the main table, one a task, in columns of equal width."""
    transcribed, translated = by_task(results)
    mode = f"{results.mode}: {how(results)}"
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
        cells = zip(row, sizes, strict=True)
        yield f"{system:{width}}" + "".join(f"{_n(c):>{size}}" for c, size in cells)


def best_of(
    values: Mapping[str, float],
    systems: Sequence[str],
    best: Callable[..., str] = min,
) -> str | None:
    """Return the system with the least value, None if none has one."""
    known = [system for system in systems if system in values]
    return best(known, key=lambda system: values[system]) if known else None


def how(results: Results) -> str:
    """Say how was decoded, and how the base was if otherwise.

    Where others differ in the silence that they heard, the rows say it.
    """
    base = results.plan.base
    settings = results.settings()
    if len({said for name, said in results.silences.items() if name != base}) > 1:
        rest = {name: settings[name] for name in settings if name not in PADDING}
        return f"each row as its model was trained, {describe(rest)}"
    ours = describe(settings)
    own = describe(results.settings(base=True))
    other = [part for part in own.split(", ") if part not in ours.split(", ")]
    return f"{ours} ({base}: {', '.join(other)})" if other else ours


def section(
    title: str,
    results: Results,
    grid: Grid,
    best: Callable[..., str] = min,
    signed: bool = False,
    marked: Collection[tuple[str, str]] = (),
) -> Iterator[str]:
    """Yield a table with the best in bold, and the best merge in italics.

    Args:
        title: its heading.
        results: whose systems are the rows.
        grid: the numbers.
        best: ``max`` where more is better.
        signed: whether to show plus signs.
        marked: system and column of what is significant.
    """
    yield f"### {title}"
    yield ""
    form = "+z.1f" if signed else "z.1f"
    rows = {
        system: [_n(cell, form) for cell in row] for system, row in grid.rows.items()
    }
    for index, column in enumerate(grid.columns):
        values = grid.column(column)
        merges = results.plan.merges
        # Marked by what is printed: systems that look equal share the first place.
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
    """Yield a table with a row a system, and last how it was decoded if not all alike.

    Args:
        results: of the systems.
        header: of the columns, the system's apart.
        rows: system -> cells.
    """
    silences = results.silences
    header = ["system", *header, *(["decoded"] if silences else [])]
    ends = {name: [silences.get(name, MISSING)] if silences else [] for name in rows}
    yield from markdown_table(
        header, [[name, *row, *ends[name]] for name, row in rows.items()]
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
    """Return system and column of the differences to mark."""
    return {
        (system, column)
        for system, differences in tested.items()
        for column, difference in differences.items()
        if difference.p < DESIGN.alpha
    }


def _signs(results: Results, system: str, name: str) -> str:
    counts = results.counts(system, name, "normalized")
    if counts is None:
        return MISSING
    return f"{counts['insertions']} / {results.scores[system, name]['loops']}"


def _n(value: float | None, form: str = "z.1f") -> str:
    return MISSING if value is None else format(value, form)


def _and(names: Mapping[str, Any]) -> str:
    return " and ".join(f"*{name}*" for name in names)

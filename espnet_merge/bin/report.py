"""Write RESULTS.md, report.html, results.json and pictures from the scores of systems.

Reads EXPDIR/<system>/inference_<mode>/<set>/score.json. The pictures and the table
that is printed show the first mode; RESULTS.md and report.html have all of them.
report.html is one page that needs no network: it also holds what each system made of
the worst utterances, and their audio. The data directories that were scored against,
and the audio in their wav.scp, are looked for where they were then, from here.
"""

import argparse
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path

from espnet_merge.disk.atomic import one_writer, whole_file
from espnet_merge.errors import InputError
from espnet_merge.report import tables, translations
from espnet_merge.report.environment import describe, origin
from espnet_merge.report.findings import Findings, find
from espnet_merge.report.page import page
from espnet_merge.report.plan import Plan
from espnet_merge.report.record import record
from espnet_merge.report.results import Grid, Results, by_task, read_results
from espnet_merge.report.significance import plain


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``espnet-merge report``."""
    parser.add_argument(
        "--expdir", type=Path, required=True, help="directory of the systems"
    )
    parser.add_argument(
        "--base", required=True, metavar="SYSTEM", help="the untrained model's system"
    )
    parser.add_argument(
        "--base-inference",
        metavar="MODE",
        help="decoding mode of the base, if not that of the others: Whisper as it was "
        "published needs padding",
    )
    parser.add_argument(
        "--group",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=SET,SET",
        help="what experts are trained for, such as a language or a domain, and its "
        "test sets, none after NAME= alone; sets of no group show what was forgotten",
    )
    lists = {
        "--experts": (
            "GROUP=SYSTEM",
            "experts; the first of a group is the yardstick of its sets",
        ),
        "--joint": ("SYSTEM", "systems trained on all groups together"),
        "--merges": ("SYSTEM", "systems merged from experts"),
        "--sets": ("SET", "test sets, each named <language>_…"),
        "--inference": ("MODE", "decoding modes, inference_<mode>; the first is main"),
    }
    for name, (metavar, text) in lists.items():
        required = name in ("--sets", "--inference")
        parser.add_argument(
            name,
            nargs="+" if required else "*",
            default=[],
            required=required,
            metavar=metavar,
            help=text,
        )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="where RESULTS.md, report.html, results.json and images/ go (default: "
        "the expdir)",
    )
    parser.add_argument(
        "--inspect",
        type=Path,
        metavar="DIR",
        help="what 'espnet-merge inspect' wrote, for report.html (default: "
        "EXPDIR/inspect, if there)",
    )
    parser.add_argument(
        "--utterances",
        type=int,
        default=100,
        metavar="N",
        help="utterances of each set in report.html, worst first (default: 100)",
    )
    parser.add_argument(
        "--clips",
        type=float,
        default=8.0,
        metavar="MB",
        help="audio in report.html, worst utterances first (default: 8 MB; 0: none)",
    )


def main(args: argparse.Namespace) -> None:
    """Read all scores, write the report, print the main table."""
    _check_sizes(args.utterances, args.clips)
    plan = Plan(
        base=args.base,
        experts=[_expert(text) for text in args.experts],
        joint=args.joint,
        merges=args.merges,
        sets=args.sets,
        groups=_groups(args.group),
    )
    modes = [
        read_results(args.expdir, plan, mode, args.base_inference)
        for mode in args.inference
    ]
    findings = {results.mode: find(results, args.expdir) for results in modes}
    output = args.output or args.expdir
    facts = list(origin(_command(args), modes[0].base_model))
    shown = record(
        modes,
        findings,
        args.expdir,
        output,
        origin=facts,
        inspect=args.inspect,
        utterances=args.utterances,
        megabytes=args.clips,
    )
    transcribed, _ = by_task(modes[0])
    with one_writer(output):
        pictures = _draw(transcribed, output / "images") if transcribed.scores else []
        with whole_file(output / "results.json") as part:
            data = {r.mode: _data(r, findings[r.mode]) for r in modes}
            part.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        with whole_file(output / "report.html") as part:
            part.write_text(page(shown), encoding="utf-8")
        # Last: it links to the others.
        with whole_file(output / "RESULTS.md") as part:
            lines = _lines(facts, args.expdir, modes, findings, output)
            part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for line in tables.terminal(modes[0]):
        print(line)
    print(findings[modes[0].mode].summary)
    for path in (output / "RESULTS.md", output / "report.html", *pictures):
        print(path)


def _check_sizes(utterances: int, clips: float) -> None:
    if utterances < 0:
        raise InputError(f"--utterances must be 0 or more; got {utterances}.")
    if not (clips >= 0 and isfinite(clips)):
        raise InputError(f"--clips must be 0 megabytes or more; got {clips}.")


def _expert(text: str) -> tuple[str, str]:
    group, equals, system = text.partition("=")
    if not (group and equals and system):
        raise InputError(
            f"--experts takes GROUP=SYSTEM such as es=full_es; got {text!r}."
        )
    return group, system


def _groups(words: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for word in words:
        name, equals, sets = word.partition("=")
        if not (name and equals) or name in groups:
            raise InputError(
                "--group takes NAME=SET,SET such as es=es_test, each name once; got "
                f"{word!r}."
            )
        groups[name] = sets.split(",") if sets else []
    return groups


def _draw(results: Results, folder: Path) -> list[Path]:
    # Imported late: matplotlib takes seconds to load, and bad input should not wait.
    from espnet_merge.report.pictures import DPI, draw_rates, draw_retention

    drawn = {"wer.png": draw_rates, "retention.png": draw_retention}
    for name, draw in drawn.items():
        with whole_file(folder / name) as part:
            draw(results).savefig(part, dpi=DPI)
    return [folder / name for name in drawn]


def _lines(
    facts: Iterable[tuple[str, str]],
    expdir: Path,
    modes: Sequence[Results],
    findings: Mapping[str, Findings],
    output: Path,
) -> Iterator[str]:
    first = modes[0]
    yield "# RESULTS"
    yield "## Environments"
    yield from describe(facts)
    yield ""
    yield "## Systems and sets"
    yield ""
    yield from tables.systems(first.plan, expdir, output)
    yield from tables.sets(first)
    if by_task(first)[0].scores:
        yield "![Error rates](images/wer.png)"
        yield ""
        yield "![Differences to the base](images/retention.png)"
    for results in modes:
        transcribed, translated = by_task(results)
        found = findings[results.mode]
        yield ""
        yield f"## {results.mode}: {tables.how(results)}"
        yield ""
        yield found.summary
        yield ""
        if results.missing:
            missing = ", ".join(results.missing)
            yield f"Without a score, shown as {tables.MISSING}: {missing}."
            yield ""
        if transcribed.scores:
            yield from tables.markdown(transcribed, found.transcribed)
        yield from translations.markdown(translated, found.translated)


def _command(args: argparse.Namespace) -> str:
    words = ["espnet-merge", "report"]
    for name, value in vars(args).items():
        if value not in (None, []):
            values = value if isinstance(value, list) else [value]
            words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return shlex.join(words)


def _data(results: Results, found: Findings) -> dict[str, object]:
    transcribed, translated = by_task(results)
    grids = {
        "rates": transcribed.rates(),
        "raw": transcribed.rates("raw"),
        "cer": transcribed.rates(metric="cer"),
        "relative": transcribed.relative(),
        "gap_closed": transcribed.gap_closed(),
        "differences": transcribed.differences(),
    }
    scores = {
        metric: _named(grid) for metric, grid in translations.grids(translated).items()
    }
    return {
        "metric": transcribed.metric_name,
        "normalizer": results.normalizer,
        "settings": results.settings(),
        "base_settings": results.settings(base=True),
        **{name: _named(grid) for name, grid in grids.items()},
        "tests": plain(found.transcribed),
        "translations": {**scores, "tests": plain(found.translated)},
    }


def _named(grid: Grid) -> dict[str, dict[str, float | None]]:
    return {
        system: dict(zip(grid.columns, row, strict=True))
        for system, row in grid.rows.items()
    }

"""Writing the files of a report: tables, page, numbers and pictures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from espnet_merge.disk.atomic import one_writer, whole_file
from espnet_merge.errors import InputError
from espnet_merge.report import markdown, tables
from espnet_merge.report.data import data
from espnet_merge.report.environment import origin
from espnet_merge.report.findings import Findings, find
from espnet_merge.report.page import page
from espnet_merge.report.plan import Plan
from espnet_merge.report.record import record
from espnet_merge.report.results import Results, read_results


@dataclass(frozen=True)
class Report:
    """A written report; printed, the main table of the first decoding mode.

    Attributes:
        modes: scores of each decoding mode.
        findings: decoding mode -> findings in its scores.
        files: files for the reader, ``RESULTS.md`` first.
    """

    modes: Sequence[Results]
    findings: Mapping[str, Findings]
    files: Sequence[Path]

    def __repr__(self) -> str:
        main = self.modes[0]
        found = self.findings[main.mode]
        said = filter(None, [found.choice, found.summary])
        return "\n".join(map(str, [*tables.terminal(main), *said, *self.files]))


def write_report(
    plan: Plan,
    expdir: Path,
    output: Path,
    modes: Sequence[str],
    *,
    command: str,
    base_mode: str | None = None,
    inspect: Path | None = None,
    running: bool = False,
    utterances: int = 100,
    megabytes: float = 8.0,
) -> Report:
    """Read all scores of the systems, and write the files.

    Args:
        plan: systems and sets.
        expdir: directory of the systems.
        output: directory of the files.
        modes: decoding modes; the pictures show the first.
        command: command line of the report.
        base_mode: decoding mode of the base, if it has its own.
        inspect: output directory of ``espnet-merge inspect``, if there is one.
        running: whether more scores will come.
        utterances: number of utterances of each set on the page, the worst first.
        megabytes: size of all audio on the page; 0 for none.

    Raises:
        InputError: scores are missing, broken or cannot be compared, or a size is
            negative.
    """
    _check_sizes(utterances, megabytes)
    found = [read_results(expdir, plan, mode, base_mode) for mode in modes]
    findings = {results.mode: find(results, expdir) for results in found}
    facts = list(origin(command, found[0].base_model))
    shown = record(
        found,
        findings,
        expdir,
        output,
        origin=facts,
        inspect=inspect,
        running=running,
        utterances=utterances,
        megabytes=megabytes,
    )
    numbers = {r.mode: data(r, findings[r.mode]) for r in found}
    with one_writer(output):
        pictures = _draw(found[0], output)
        _write(output / "results.json", json.dumps(numbers, indent=1) + "\n")
        _write(output / "report.html", page(shown))
        # Written last, because it links to the other files.
        lines = markdown.lines(facts, expdir, found, findings, output, running=running)
        _write(output / "RESULTS.md", "\n".join(lines) + "\n")
    return Report(
        found, findings, [output / "RESULTS.md", output / "report.html", *pictures]
    )


def _check_sizes(utterances: int, megabytes: float) -> None:
    if utterances < 0:
        raise InputError(f"--utterances must be 0 or more; got {utterances}.")
    if not (megabytes >= 0 and isfinite(megabytes)):
        raise InputError(f"--clips must be 0 megabytes or more; got {megabytes}.")


def _draw(results: Results, output: Path) -> list[Path]:
    # Imported here: matplotlib takes seconds to load, and bad input must fail at once.
    from espnet_merge.report.pictures import DPI, draw_bleu, draw_rates, draw_retention

    draw = {
        markdown.RATES: draw_rates,
        markdown.RETENTION: draw_retention,
        markdown.BLEU: draw_bleu,
    }
    shown = markdown.pictures(results)
    for name, part_of in shown.items():
        with whole_file(output / name) as part:
            draw[name](part_of).savefig(part, dpi=DPI)
    return [output / name for name in shown]


def _write(path: Path, text: str) -> None:
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")

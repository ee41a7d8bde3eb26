"""The content of ``RESULTS.md``: origin, and all tables of all decoding modes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from espnet_merge.report import routes, tables, translations
from espnet_merge.report.environment import origin_lines
from espnet_merge.report.findings import Findings
from espnet_merge.report.results import Results, by_task


def lines(
    facts: Iterable[tuple[str, str]],
    expdir: Path,
    modes: Sequence[Results],
    findings: Mapping[str, Findings],
    output: Path,
    *,
    running: bool = False,
) -> Iterator[str]:
    """Yield the lines of the file.

    Args:
        facts: name and value of each fact about the origin.
        expdir: directory of the systems.
        modes: scores of each decoding mode.
        findings: decoding mode -> findings in its scores.
        output: directory of the file, to which its links are relative.
        running: whether more scores will come.
    """
    first = modes[0]
    yield "# RESULTS"
    if running:
        yield ""
        yield f"The run goes on; without a score yet: {len(first.missing)}."
        yield ""
    yield "## Environments"
    yield from origin_lines(facts)
    yield ""
    yield "## Systems and sets"
    yield ""
    yield from tables.systems(first.plan, expdir, output)
    yield from tables.sets(first)
    yield from routes.routers(first.plan, expdir)
    if by_task(first)[0].scores:
        yield "![Error rates](images/wer.png)"
        if len(first.plan.kinds) > 1:
            yield ""
            yield "![Differences to the base](images/retention.png)"
    for results in modes:
        yield from _mode(results, findings[results.mode])


def _mode(results: Results, found: Findings) -> Iterator[str]:
    transcribed, translated = by_task(results)
    yield ""
    yield f"## {results.mode}: {tables.describe_decoding(results)}"
    yield ""
    for said in filter(None, [found.choice, found.summary]):
        yield said
        yield ""
    if results.missing:
        missing = ", ".join(results.missing)
        yield f"Without a score, shown as {tables.MISSING}: {missing}."
        yield ""
    if transcribed.scores:
        yield from tables.markdown(transcribed, found.transcribed)
        yield from routes.markdown(transcribed)
    yield from translations.markdown(translated, found.translated)

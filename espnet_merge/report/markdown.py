"""The content of ``RESULTS.md``: origin, and all tables of all decoding modes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from espnet_merge.report import routes, tables, translations
from espnet_merge.report.environment import origin_lines
from espnet_merge.report.findings import Findings
from espnet_merge.report.results import Results, by_task

RATES, RETENTION, BLEU = "images/wer.png", "images/retention.png", "images/bleu.png"
PICTURES = {
    RATES: "Error rates",
    RETENTION: "Differences to the base",
    BLEU: "BLEU of translations",
}


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
    if shown := [f"![{PICTURES[name]}]({name})" for name in pictures(first)]:
        yield "\n\n".join(shown)
    for results in modes:
        yield from _mode(results, findings[results.mode])


def pictures(results: Results) -> dict[str, Results]:
    """Return the files of the pictures of a decoding mode, and what each shows."""
    transcribed, translated = by_task(results)
    shown = {}
    if transcribed.scores:
        shown[RATES] = transcribed
        if len(results.plan.kinds) > 1:
            shown[RETENTION] = transcribed
    if translated.scores:
        shown[BLEU] = translated
    return shown


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

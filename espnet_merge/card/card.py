"""README.md of a result: a model card, as the hub reads it.

Metadata by ``huggingface_hub``; the text stands between two marks, so that what its
owner writes around it stays.
"""

from collections.abc import Iterator
from pathlib import Path

from huggingface_hub.repocard_data import ModelCardData

from espnet_merge.card.licences import joined
from espnet_merge.card.provenance import CONVERTED, Provenance, Source
from espnet_merge.card.scores import RECOGNITION, Evidence, results, section
from espnet_merge.disk.atomic import whole_file
from espnet_merge.errors import InputError
from espnet_merge.files import README_MD

BEGIN = "<!-- written by espnet-merge: your own text goes above or below -->"
END = "<!-- end of what espnet-merge has written -->"
PACKAGE = "espnet_merge"
UNKNOWN = "unknown"
NOTHING = Evidence()


def write_card(
    directory: Path,
    provenance: Provenance,
    name: str | None = None,
    evidence: Evidence = NOTHING,
    license: str | None = None,
) -> Path:
    """Write the card of a model, or renew ours in the one that is there.

    Args:
        directory: of the model.
        provenance: what it was made of.
        name: what it is called; None for what it was made of.
        evidence: what was measured of it.
        license: of the model; None for the one that follows from its sources.

    Returns:
        The file.
    """
    path = directory / README_MD
    name = name or provenance.title
    why = ""
    if license is None:
        try:
            license = licence_of(provenance)
        except InputError as error:
            why = str(error)
    data = metadata(provenance, name, evidence, license)
    lines = [BEGIN, *body(provenance, name, evidence, license or why), END]
    text = "\n".join(lines)
    if path.is_file():
        content = _renewed(path, data, text)
    else:
        content = f"---\n{data.to_yaml()}\n---\n\n{text}\n"
    with whole_file(path) as part:
        part.write_text(content, encoding="utf-8")
    return path


def licence_of(provenance: Provenance) -> str:
    """Return the licence that follows from those of the sources.

    Raises:
        InputError: one is not known, or they do not go together.
    """
    return joined({source.name: source.license for source in provenance.sources})


def metadata(
    provenance: Provenance, name: str, evidence: Evidence, license: str | None
) -> ModelCardData:
    """Return what the hub reads of a card."""
    speech = provenance.is_whisper
    named = dict.fromkeys(x.hub for x in provenance.sources if x.hub)
    tags = [PACKAGE, "merge" if provenance.method else "", provenance.method]
    return ModelCardData(
        base_model=list(named) or None,
        base_model_relation=provenance.relation if named else None,
        language=sorted({x for s in evidence.scores for x in s.languages}) or None,
        license=license,
        library_name=(
            "peft"
            if provenance.is_adapter
            else "transformers"
            if provenance.is_transformers
            else None
        ),
        pipeline_tag=RECOGNITION if speech else None,
        tags=["whisper"] * speech + [tag for tag in tags if tag],
        model_name=name if evidence.scores else None,
        eval_results=results(evidence.scores) or None,
    )


def body(
    provenance: Provenance, name: str, evidence: Evidence, licence: str
) -> Iterator[str]:
    """Yield the lines of the text.

    Args:
        provenance: what the model was made of.
        name: what it is called.
        evidence: what was measured of it.
        licence: of the model, or why there is none.
    """
    base, count = provenance.base.name, len(provenance.experts)
    trained = "Converted" if provenance.relation == CONVERTED else "Trained"
    made = (
        f"Merged from {count} experts of {base} by `{provenance.method}`"
        if provenance.method
        else f"{trained} from {base}"
    )
    kind = "; an adapter, to be loaded on its base" if provenance.is_adapter else ""
    if provenance.runtime_format:
        kind = f"; for {provenance.runtime_format}"
    yield from ("", f"# {name}", "", f"{made}{kind}.", "")
    yield from ("## What it was made of", "")
    yield "| | model | commit | licence | SHA-256 |"
    yield "|---|---|---|---|---|"
    yield _row("base", provenance.base)
    yield from (_row("expert", expert) for expert in provenance.experts)
    yield ""
    if provenance.params:
        yield from ("Parameters of the merge:", "")
        yield from (f"- `{key}: {x}`" for key, x in provenance.params.items())
        yield ""
    yield from (f"Licence: {licence}", "")
    yield from section(evidence)


def _row(kind: str, source: Source) -> str:
    digests = "<br>".join(f"{file} `{x}`" for file, x in source.digests.items())
    cells = [kind, source.name, source.commit, source.license or UNKNOWN, digests]
    return f"| {' | '.join(cell or '–' for cell in cells)} |"


def _renewed(path: Path, data: ModelCardData, text: str) -> str:
    """Return the card that is there, with our metadata and text in place of the old."""
    from huggingface_hub import ModelCard

    try:
        card = ModelCard.load(path)
    except (ValueError, OSError) as error:
        raise InputError(
            f"{path}: is no model card ({error}); mend or remove it."
        ) from error
    ours = {key: x for key, x in data.__dict__.items() if x is not None}
    if card.data.get("tags"):
        ours["tags"] = list(dict.fromkeys([*card.data.tags, *(data.tags or [])]))
    card.data.__dict__.update(ours)
    before, begin, rest = card.text.partition(BEGIN)
    after = rest.partition(END)[2] if begin else ""
    card.text = f"{before.rstrip()}\n\n{text}\n{after.lstrip()}"
    return str(card.content)

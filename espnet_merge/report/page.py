"""The content of ``report.html``, a single file that needs no network."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

TEMPLATE: Traversable = files("espnet_merge.report") / "template"
STYLE = TEMPLATE / "page.css"
ELEMENTS, EDITS = TEMPLATE / "elements.js", TEMPLATE / "edits.js"
SCRIPTS = (
    *(ELEMENTS, EDITS, TEMPLATE / "dom.js", TEMPLATE / "tables.js"),
    *(TEMPLATE / "translations.js", TEMPLATE / "curves.js"),
    *(TEMPLATE / "utterances.js", TEMPLATE / "page.js"),
)


def page(data: Mapping[str, Any]) -> str:
    """Return the page that shows ``data``, which :func:`~..record.record` returned."""
    return filled(TEMPLATE / "page.html", SCRIPTS, data)


def filled(
    html: Traversable, scripts: Sequence[Traversable], data: Mapping[str, Any]
) -> str:
    """Return a page with the style of the report, scripts and data in it."""
    parts = {
        "style": STYLE.read_text(encoding="utf-8"),
        "script": "\n".join(name.read_text(encoding="utf-8") for name in scripts),
        # Replaced last, so that placeholders in texts of users stay as they are.
        "data": dump(data),
    }
    text = html.read_text(encoding="utf-8")
    for name, part in parts.items():
        text = text.replace(f"<!-- {name} -->", part)
    return text


def dump(data: Mapping[str, Any]) -> str:
    r"""Return JSON that can stand in a script element, whatever text it holds.

    >>> dump({"text": "</script> <!-- é"})
    '{"text":"\\u003c/script> \\u003c!-- é"}'
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")

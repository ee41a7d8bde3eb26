"""The content of ``report.html``, a single file that needs no network."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

STYLE = "page.css"
SCRIPTS = (
    *("dom.js", "tables.js", "translations.js", "curves.js", "utterances.js"),
    "page.js",
)


def page(data: Mapping[str, Any]) -> str:
    """Return the page that shows ``data``, which :func:`~..record.record` returned."""
    template = files("espnet_merge.report") / "template"
    parts = {
        "style": (template / STYLE).read_text(encoding="utf-8"),
        "script": "\n".join(
            (template / name).read_text(encoding="utf-8") for name in SCRIPTS
        ),
        # Replaced last, so that placeholders in texts of users stay as they are.
        "data": dump(data),
    }
    text = (template / "page.html").read_text(encoding="utf-8")
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

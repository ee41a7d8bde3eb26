"""An inspection as one HTML page that needs no other file."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from html import escape

from espnet_merge.html import html_table
from espnet_merge.inspection.advice import advise
from espnet_merge.inspection.inspection import Inspection
from espnet_merge.inspection.record import definitions
from espnet_merge.inspection.tables import tables

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto;
  padding: 0 1rem; color: #222; background: #fff; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
img { max-width: 100%; }
.warning { border-left: 4px solid #e69f00; padding: .2rem .8rem; margin: .5rem 0; }
.scroll { overflow-x: auto; }
"""


def page(inspection: Inspection, pictures: Mapping[str, bytes]) -> str:
    """Return the page.

    Args:
        inspection: What was measured.
        pictures: PNG by what it shows.
    """
    return "\n".join(_lines(inspection, pictures)) + "\n"


def body(inspection: Inspection) -> Iterator[str]:
    """Yield warnings and tables."""
    warnings = advise(inspection)
    for warning in warnings:
        yield f'<p class="warning">{escape(warning)}</p>'
    if not warnings:
        yield "<p>Nothing speaks against merging these experts.</p>"
    for title, rows in tables(inspection):
        yield f"<h2>{escape(title)}</h2>"
        yield from html_table(rows)


def _lines(inspection: Inspection, pictures: Mapping[str, bytes]) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f"<title>Experts of {escape(inspection.base)}</title>"
    yield f"<style>{STYLE}</style>\n</head>\n<body>"
    yield f"<h1>Experts of {escape(inspection.base)}</h1>"
    yield from body(inspection)
    for title, picture in pictures.items():
        data = b64encode(picture).decode()
        yield f"<h2>{escape(title)}</h2>"
        yield f'<img alt="{escape(title)}" src="data:image/png;base64,{data}">'
    yield "<h2>What the numbers are</h2>\n<dl>"
    for name, meaning in definitions().items():
        yield f"<dt><code>{escape(name)}</code></dt><dd>{escape(meaning)}</dd>"
    yield "</dl>\n</body>\n</html>"

"""Tables as HTML, for pages and notebooks."""

from collections.abc import Iterator, Sequence
from html import escape


def html_table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table, whose first row has the headings.

    >>> list(html_table([["set"], ["a < b"]]))[1:3]
    ['<tr><th>set</th></tr>', '<tr><td>a &lt; b</td></tr>']
    """
    yield '<div class="scroll"><table>'
    for number, row in enumerate(rows):
        tag = "td" if number else "th"
        yield "<tr>" + "".join(f"<{tag}>{escape(c)}</{tag}>" for c in row) + "</tr>"
    yield "</table></div>"

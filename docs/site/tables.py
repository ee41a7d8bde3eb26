"""Tables as a phone shows them: a cell with a sentence is not as narrow as a word."""

import re

CELL = re.compile(r"<td(?: style=[^>]*)?>((?:(?!</?t[dr]).)*)</td>", re.DOTALL)
TAG = re.compile(r"<[^>]+>")
SENTENCE = 20  # characters


def mark_sentences(html: str) -> str:
    """Return a page in which cells that hold a sentence are marked.

    >>> mark_sentences("<td>6 h</td><td>" + "what a word is " * 3 + "</td>")[:34]
    '<td>6 h</td><td class="sentence">w'
    """
    return CELL.sub(_marked, html)


# Words stand on the left, also in a column of numbers.
def _marked(cell: re.Match[str]) -> str:
    if len(TAG.sub("", cell[1])) < SENTENCE:
        return cell[0]
    return f'<td class="sentence">{cell[1]}</td>'

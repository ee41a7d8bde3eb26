"""Commands in pages as they are read: a long one goes on in the next line.

The files of pages have a command a line, which tests run as they stand.
"""

import re

WIDTH = 72
BLOCK = re.compile(r"(?<=^```sh\n)(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)
# Before an option, if an even number of quotes is left.
BEFORE = re.compile(r'(?= --\w)(?=[^"]*(?:"[^"]*"[^"]*)*$)')
# With its value, if both fit into a line of a phone.
OPTION = re.compile(r"<code>(--?\w[^<\n]{0,28})</code>")


def fold(markdown: str) -> str:
    """Return Markdown whose long commands are continued before an option."""
    return BLOCK.sub(
        lambda found: "".join(map(_folded, found[1].splitlines(True))), markdown
    )


def _folded(line: str) -> str:
    r"""Return a line, or several that a shell takes for it.

    >>> print(_folded(f"espnet-merge {'x' * 60} --base exp/base --dry-run"))
    espnet-merge xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx \
        --base exp/base --dry-run
    """
    if len(line) <= WIDTH or " #" in line:
        return line
    lines = [""]
    for part in BEFORE.split(line):
        if lines[-1] and len(lines[-1]) + len(part) > WIDTH:
            lines.append("   ")
        lines[-1] += part
    return " \\\n".join(lines)


def mark_options(html: str) -> str:
    """Return a page in which options are marked, for they are not to be broken."""
    return OPTION.sub(r'<code class="option">\1</code>', html)

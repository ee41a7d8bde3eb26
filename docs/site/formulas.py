"""LaTeX in pages as MathML, which browsers draw without a script.

They need a font that tells them where to put an index; one comes with the site.
"""

import base64
import re
from importlib.util import find_spec
from pathlib import Path

from latex2mathml.converter import convert

# Code comes first, so that a dollar in it is none; GitHub's rule for the others.
TEX = re.compile(
    r"(?P<fence>^(?P<mark>`{3,}|~{3,})(?P<kind>\w*)[^\n]*\n(?P<body>.*?)^(?P=mark)$)"
    r"|\$`(?P<quoted>[^`]+)`\$"
    r"|(?P<code>(?P<ticks>`+)[^`].*?(?P=ticks))"
    r"|(?<![\\$\w])\$(?P<bare>[^\s$`](?:[^$`\n]*[^\s$`])?)\$(?![\d$])",
    re.MULTILINE | re.DOTALL,
)
# latex2mathml knows neither the size of a double bar nor this function.
SIZED = re.compile(r"\\[Bb]igg?[lr]?(?=\\\|)")
FUNCTION = re.compile(r"\\(arg)(?![a-z])")
FONT = Path(find_spec("ziamath").origin).parent / "fonts" / "STIXTwoMath-Regular.ttf"
HELD = re.compile(r'<(span|div) class="formula">([\w=+/]+)</\1>')


def hold(markdown: str) -> str:
    """Return Markdown with its formulas where no rule of Markdown touches them.

    >>> hold("`$x$` stays, and $x$ waits.")
    '`$x$` stays, and <span class="formula">eA==</span> waits.'
    """
    return TEX.sub(_held, markdown)


def _held(found: re.Match[str]) -> str:
    if found["kind"] == "math":
        return f'<div class="formula">{_packed(found["body"])}</div>'
    tex = found["quoted"] or found["bare"]
    return f'<span class="formula">{_packed(tex)}</span>' if tex else found[0]


def _packed(tex: str) -> str:
    return base64.b64encode(tex.strip().encode()).decode()


def draw(html: str) -> str:
    """Return a page with the formulas that wait in it as MathML."""
    return HELD.sub(_drawn, html)


def _drawn(found: re.Match[str]) -> str:
    tex = SIZED.sub("", base64.b64decode(found[2]).decode())
    tex = FUNCTION.sub(r"\\operatorname{\1}", tex)
    display = "block" if found[1] == "div" else "inline"
    return f'<{found[1]} class="formula">{convert(tex, display=display)}</{found[1]}>'

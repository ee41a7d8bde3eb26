"""Write a page for every merge method: ``python -m docs.generate``, or ``make docs``.

The docstring is the page; the table of arguments takes its defaults from the fields,
and docs/when_to_use.yaml says when to use the method.
"""

import inspect
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path

import yaml

from espnet_merge.files import README_MD
from espnet_merge.methods import METHODS, STEPS

DOCS = Path(__file__).parent
FOLDER = DOCS / "methods"
IMAGES = FOLDER / "images"
NOTE = "<!-- Written by docs/generate.py from the docstring: change that instead. -->"
DPI = 100
# What has a page, in the order of the index.
SHOWN = METHODS | STEPS
# What opens a part of a docstring, to the heading that the part gets.
PARTS = {
    "Source": "Source",
    "Departures from it": "Departures",
    "Args": "Arguments",
    "Raises": "Errors",
    "Example": "Example",
}
PART = re.compile(rf"^({'|'.join(PARTS)})(?: (\[ours\]))?:", re.MULTILINE)
MATH = re.compile(r"^\.\. math::(.*(?:\n(?: .*)?)*)", re.MULTILINE)
ARGUMENT = re.compile(r"^(\w+): ((?:.*\n?)(?:\n|    .*\n?)*)", re.MULTILINE)
CAPTION = (
    "Two task vectors of 8 × 8 entries that share one direction, oppose each other in"
    " another and at one large entry; their mean; what the method makes of them; and"
    " singular values."
)


def main() -> None:
    """Write pages, index and pictures."""
    from docs.toy import draw, has_picture

    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    for name in filter(has_picture, METHODS):
        # Without the version of matplotlib the same picture has the same bytes.
        target = IMAGES / f"{name}.png"
        draw(name).savefig(target, dpi=DPI, metadata={"Software": None})


def pages() -> dict[str, str]:
    """Return the text of every page by its file name."""
    when = yaml.safe_load((DOCS / "when_to_use.yaml").read_text(encoding="utf-8"))
    texts = {f"{name}.md": "\n".join(_page(name, when[name])) for name in SHOWN}
    return texts | {README_MD: "\n".join(_index(when))}


def _index(when: dict[str, str]) -> Iterator[str]:
    yield f"{NOTE}\n\n# Merge methods\n"
    yield "| method | what it does | when to use it |\n|---|---|---|"
    for name in SHOWN:
        yield f"| [`{name}`]({name}.md) | {_sentence(name)} | {when[name]} |"
    yield (
        "\nIn the pages [paper] marks what the paper says, [code] what only code of"
        " its authors\nor another implementation shows, [ours] what was chosen here.\n"
    )


def _page(name: str, when: str) -> Iterator[str]:
    from docs.toy import PARAMS, has_picture

    head, parts = _split(inspect.cleandoc(SHOWN[name].__doc__ or ""))
    sentence, _, formula = head.partition("\n")
    yield f"{NOTE}\n\n# {name}\n\n{_markdown(sentence)}\n"
    yield f"## When to use it\n\n{when}\n"
    yield f"## Formula\n\n{_markdown(formula)}\n"
    if has_picture(name):
        given = ", ".join(f"`{k}={v}`" for k, v in PARAMS.get(name, {}).items())
        how = f"with {given}" if given else "with the defaults"
        yield f"![{name} on two small task vectors](images/{name}.png)\n"
        yield f"*{CAPTION} {name} {how}.*\n"
    write = {
        "Args": lambda text: "\n".join(_arguments(name, text)),
        "Example": _example,
    }
    for part, heading in PARTS.items():
        if part in parts:
            yield f"## {heading}\n\n{write.get(part, _markdown)(parts[part])}\n"
    yield f"Code: [`{name}.py`](../../espnet_merge/methods/{name}.py)\n"


def _sentence(name: str) -> str:
    return (SHOWN[name].__doc__ or "").partition("\n")[0]


def _split(text: str) -> tuple[str, dict[str, str]]:
    """Return what stands before the parts of a docstring, and the parts by name."""
    found = list(PART.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    parts = {
        match[
            1
        ]: f"{match[2] or ''} {inspect.cleandoc(text[match.end() : end])}".strip()
        for match, end in zip(found, ends, strict=True)
    }
    return text[: found[0].start()], parts


def _markdown(text: str) -> str:
    """Turn the marks of a docstring into those of GitHub."""
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    text = re.sub(r":math:`([^`]+)`", lambda m: f"$`{_joined(m[1])}`$", text)
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    # A fence, since between dollars Markdown would eat the backslash of "\,".
    return MATH.sub(_fence, text).strip()


def _fence(math: re.Match[str]) -> str:
    return f"```math\n{inspect.cleandoc(math[1]).strip()}\n```\n"


def _joined(text: str) -> str:
    return " ".join(text.split())


def _arguments(name: str, text: str) -> Iterator[str]:
    """Yield a table of the arguments."""
    defaults = {field.name: field.default for field in fields(SHOWN[name])}  # type: ignore[arg-type]
    yield "| name | default | meaning |\n|---|---|---|"
    for match in ARGUMENT.finditer(text):
        meaning = _joined(_markdown(match[2]))
        yield f"| `{match[1]}` | `{_yaml(defaults[match[1]])}` | {meaning} |"


def _yaml(value: object) -> str:
    """Return ``value`` as it is written after ``--set NAME=``, a dash for none."""
    if value is MISSING:
        return "–"
    return yaml.safe_dump(value).removesuffix("...\n").strip()


def _example(text: str) -> str:
    return f"```python\n{text}\n```" if ">>>" in text else _markdown(text)


if __name__ == "__main__":
    main()

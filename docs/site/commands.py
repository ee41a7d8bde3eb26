"""A page for every command, from the declarations that its parser is made of."""

import argparse
import importlib
import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from inspect import cleandoc
from textwrap import dedent

import espnet_merge as em
from espnet_merge.__main__ import COMMANDS, parse
from espnet_merge.options import Declared, declared

FOLDER = "reference/commands/"
# Lines that a docstring indents are to be typed.
TYPED = re.compile(r"^((?:  .*\n?)+)", re.MULTILINE)


def pages() -> dict[str, str]:
    """Return the text of every page by its address."""
    texts = {f"{FOLDER}{name}.md": "\n".join(_page(name)) for name in COMMANDS}
    return {f"{FOLDER}README.md": "\n".join(_index()), **texts}


def _index() -> Iterator[str]:
    yield (
        "# Commands\n\n`espnet-merge COMMAND` does one thing; `espnet-merge COMMAND "
        "--help` says what this page of it says. In names of options `_` and `-` are "
        "one. Bad input ends with one line and exit status 2.\n"
    )
    yield "| command | what it does |\n|---|---|"
    for name, what in COMMANDS.items():
        yield f"| [`{name}`]({name}.md) | {what} |"
    yield (
        "\nTraining has ESPnet's own command, `python -m "
        "espnet_merge.bin.whisper_train` ([its options](../training.md))."
    )


def _page(name: str) -> Iterator[str]:
    module = importlib.import_module(f"espnet_merge.bin.{name.replace('-', '_')}")
    head, _, rest = cleandoc(module.__doc__ or "").partition("\n")
    yield f"# {name}\n\n{head}\n"
    yield f"```text\n{usage(name, module.Command)}\n```\n"
    yield f"{TYPED.sub(_fenced, rest.strip() + chr(10))}\n"
    if name in em.__all__:
        yield f"In Python: [`em.{name}`](../python.md#espnet_merge.{name}).\n"
    yield "## Options\n"
    place = None
    for one in declared(module.Command).values():
        if one.place is not place:
            place = one.place
            if place is not module.Command:
                title = (place.__doc__ or "").partition("\n")[0].rstrip(".")
                yield f"\n### {title}\n"
            yield "| option | what it is | default | values |\n|---|---|---|---|"
        yield _row(one)


def usage(name: str, kind: type) -> str:
    """Return the usage of a command as its parser prints it, without the word."""
    printed = io.StringIO()
    parser = argparse.ArgumentParser(
        prog=f"espnet-merge {name}", formatter_class=_Narrow
    )
    with redirect_stdout(printed), suppress(SystemExit):
        parse(kind, parser, ["--help"])
    text = printed.getvalue().removeprefix("usage: ")
    return re.sub(r"^ {7}", "", text.partition("\n\n")[0], flags=re.MULTILINE)


class _Narrow(argparse.RawDescriptionHelpFormatter):
    """Breaks lines alike, however wide the terminal is."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=78)


def _fenced(found: re.Match[str]) -> str:
    return f"```sh\n{dedent(found[1]).strip()}\n```\n"


def _row(one: Declared) -> str:
    flag = one.option.flag or f"--{one.field.name.replace('_', '-')}"
    if one.option.argparse.get("positional"):
        flag = one.field.name
    metavar = one.option.argparse.get("metavar", "")
    shown = metavar if isinstance(metavar, str) else " ".join(metavar)
    what, _, default = one.help.partition(" (default: ")
    default = f"`{default[:-1]}`" if default else "**needed**" if one.required else ""
    cells = (f"`{f'{flag} {shown}'.strip()}`", what, default, values(one))
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def values(one: Declared) -> str:
    """Return in words what an option may be: choices, or a range of numbers."""
    if one.kind is bool:
        return ""
    if one.choices:
        return ", ".join(f"`{choice}`" for choice in one.choices)
    least, most = one.option.least, one.option.most
    if least is None:
        return ""
    return f"≥ {least:g}" if most is None else f"{least:g} to {most:g}"

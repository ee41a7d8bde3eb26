"""Options of a dataclass as the words of a command line."""

import argparse
import re
from collections.abc import Sequence
from typing import Any

from espnet_merge.options import Declared, Options, build, declared


def parse[O: Options](
    kind: type[O], parser: argparse.ArgumentParser, words: Sequence[str]
) -> O:
    """Return the options that the words of a command line give.

    Args:
        kind: a dataclass of options.
        parser: is told the options, those of each base in a group of its own.
        words: of a command line; in names of options ``_`` and ``-`` are one.

    Raises:
        InputError: a value is wrong; of words that are no options the parser tells.
    """
    options = declared(kind)
    groups: dict[type, argparse._ActionsContainer] = {kind: parser}
    for one in options.values():
        if one.place not in groups:
            title = (one.place.__doc__ or "").partition("\n")[0].rstrip(".")
            groups[one.place] = parser.add_argument_group(title)
        _add(groups[one.place], one)
    given = vars(parser.parse_args([_with_dashes(word) for word in words]))
    for name in given:
        if read := options[name].option.read:
            given[name] = read(given[name])
    return build(kind, given)


def _add(group: "argparse._ActionsContainer", one: Declared) -> None:
    name, option = one.field.name, one.option
    told: dict[str, Any] = {"help": one.help.replace("%", "%%")}
    if one.kind is bool:
        told |= {"action": "store_true"}
    elif not option.read:
        told |= {"type": one.kind, "choices": one.choices or None}
        told |= {"nargs": "+"} if one.many else {}
    told |= option.argparse
    if told.pop("positional", False):
        group.add_argument(name, **told)
        return
    flag = option.flag or f"--{name.replace('_', '-')}"
    told |= {"dest": name, "required": one.required, "default": argparse.SUPPRESS}
    group.add_argument(flag, **told)


def _with_dashes(word: str) -> str:
    return re.sub("^--[^=]*", lambda name: name[0].replace("_", "-"), word)

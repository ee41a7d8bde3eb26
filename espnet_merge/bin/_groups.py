"""Options of names with members, such as the groups of test sets."""

from collections.abc import Callable, Sequence

from espnet_merge.errors import InputError
from espnet_merge.options import Option


def groups(rule: str) -> Callable[[Sequence[str]], dict[str, list[str]]]:
    """Return what reads words ``NAME=MEMBER,MEMBER``; ``rule`` tells what they are."""

    def read(words: Sequence[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for word in words:
            name, equals, members = word.partition("=")
            if not (name and equals) or name in found:
                raise InputError(f"{rule}, each name once; got {word!r}.")
            found[name] = members.split(",") if members else []
        return found

    return read


GROUP = Option(
    "what experts are trained for, such as a language or a domain, and its test sets "
    "(NAME= if there are none); sets without a group show what was forgotten",
    nargs="+",
    action="extend",
    metavar="NAME=SET,SET",
    read=groups("--group takes NAME=SET,SET such as es=es_test"),
)

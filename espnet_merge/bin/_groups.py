"""The option that names the groups of test sets."""

from collections.abc import Sequence

from espnet_merge.errors import InputError
from espnet_merge.options import Option


def _groups(words: Sequence[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for word in words:
        name, equals, sets = word.partition("=")
        if not (name and equals) or name in groups:
            raise InputError(
                "--group takes NAME=SET,SET such as es=es_test, each name once; got "
                f"{word!r}."
            )
        groups[name] = sets.split(",") if sets else []
    return groups


GROUP = Option(
    "what experts are trained for, such as a language or a domain, and its test sets "
    "(NAME= if there are none); sets without a group show what was forgotten",
    nargs="+",
    action="extend",
    metavar="NAME=SET,SET",
    read=_groups,
)

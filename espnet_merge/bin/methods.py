"""List the merge methods: name, one sentence, parameters with their defaults."""

import argparse
from dataclasses import fields


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare no options."""
    del parser


def main(args: argparse.Namespace) -> None:
    """Print one line a method."""
    from espnet_merge.methods import METHODS

    del args
    for name, method in METHODS.items():
        sentence = (method.__doc__ or "").partition("\n")[0]
        defaults = " ".join(
            f"{field.name}={_shown(field.default)}"
            for field in fields(method)  # type: ignore[arg-type]
        )
        print(f"{name:16} {sentence} {defaults}")


def _shown(default: object) -> str:
    """Return ``default`` as it is written in YAML."""
    if default == ():
        return "[]"
    return "null" if default is None else str(default).lower()

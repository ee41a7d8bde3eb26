"""The one table of formats."""

from importlib import import_module

from espnet_merge.export.format import Format

# Of these, what holds many adapters of one model.
BUNDLE = "bundle"


def format_of(name: str) -> Format:
    """Return the format of a name, which is that of its file in this room."""
    found: Format = import_module(f"{__package__}.{name}").FORMAT
    return found

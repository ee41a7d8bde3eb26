"""A recorded sentence of a corpus."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

# Name of a package -> names and contents of its files.
Files = Callable[[str], Iterator[tuple[str, bytes]]]


class Text(NamedTuple):
    """A text, and the sentence that decides its split, the same in every language."""

    text: str
    sentence: str


class Recording(NamedTuple):
    """A recorded sentence in one language."""

    key: str
    text: str
    # Decides the split; the same in every language.
    sentence: str
    content: bytes
    container: str | None = None


def name_of(language: str, key: str) -> str:
    """Return the name of an utterance."""
    return f"{language}-{key.replace('/', '_')}"

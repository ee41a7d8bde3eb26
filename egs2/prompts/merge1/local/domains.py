"""The domains of recorded speech, each a corpus."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from amazon_queen import amazon_queen
from captions import captions
from dialogue import dialogue
from drascula import drascula
from prompts import prompts
from recording import Files, Recording


class Domain(NamedTuple):
    """The languages of a domain, and the function that reads its recordings."""

    languages: tuple[str, ...]
    read: Callable[[str, Files, Counter[str]], Iterator[Recording]]


DOMAINS = {
    "prompts": Domain(("es", "it", "ru", "en", "fr"), prompts),
    "dialogue": Domain(("cs", "nl"), dialogue),
    "captions": Domain(
        ("fr", "es", "ru", "ro", "ca", "bg", "el", "be", "da"), captions
    ),
    "drascula": Domain(("en", "es"), drascula),
    "queen": Domain(("en",), amazon_queen),
}

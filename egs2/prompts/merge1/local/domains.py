"""The domains of recorded speech, each a corpus."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from amazon_queen import amazon_queen
from captions import captions
from dialogue import dialogue
from drascula import drascula, drascula_english
from prompts import prompts, prompts_english
from recording import Files, Recording, Text


class Domain(NamedTuple):
    """A corpus.

    Args:
        languages: that are spoken in it.
        read: the function that reads its recordings.
        english: the function that reads the English text of each key, if the other
            languages have the same keys.
    """

    languages: tuple[str, ...]
    read: Callable[[str, Files, Counter[str]], Iterator[Recording]]
    english: Callable[[Files], dict[str, Text]] | None = None


DOMAINS = {
    "prompts": Domain(("es", "it", "ru", "en", "fr"), prompts, prompts_english),
    "dialogue": Domain(("cs", "nl"), dialogue),
    "captions": Domain(
        ("fr", "es", "ru", "ro", "ca", "bg", "el", "be", "da"), captions
    ),
    "drascula": Domain(("en", "es"), drascula, drascula_english),
    "queen": Domain(("en",), amazon_queen),
}

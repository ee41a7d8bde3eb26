"""Sentences: clean their texts, compare them, and choose their split."""

import hashlib
import re
from typing import NamedTuple

from espnet_merge.data import sets

# In order of precedence: if two splits have the same text, the first one keeps it.
SPLITS = ("test", "valid", "train")


class Percent(NamedTuple):
    """Of 100 sentences, about how many are for test, and how many for valid."""

    test: int
    valid: int


def clean(text: str) -> str:
    """Return the text in NFC, without ellipses at its start or end."""
    return re.sub(r"^(\.\.+|…)\s*|\s*(\.\.+|…)$", "", sets.clean(text))


def flaw(text: str) -> str | None:
    """Return why a cleaned text is not what is spoken, or None if it may be."""
    if re.search(r"[][()<>]", text):
        # A tone, or a remark to the speaker, on how to speak or in English.
        return "note in brackets"
    if "%" in text:
        return "template"
    return None if any(letter.isalnum() for letter in text) else "no words"


def plain(text: str) -> str:
    """Return the letters and digits of a text, to compare texts by."""
    return "".join(c for c in text.casefold() if c.isalnum())


def split_of(sentence: str, percent: Percent) -> str:
    """Return the split of a sentence, which depends on nothing but its words."""
    words = plain(sentence).encode()
    place = int.from_bytes(hashlib.sha256(words).digest()[:8]) % 100
    if place < percent.test:
        return "test"
    return "valid" if place < percent.test + percent.valid else "train"

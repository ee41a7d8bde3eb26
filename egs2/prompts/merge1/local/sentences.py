"""Sentences: what they say, when two are the same, and which split they are in."""

import hashlib
import re

from espnet_merge.data import sets

# In the order in which they keep a text that two of them have.
SPLITS = ("test", "valid", "train")
# Of 100 sentences, as a rule: 8 for test, 9 for valid.
TEST, VALID = 8, 17


def clean(text: str) -> str:
    """Return the text in NFC, without the dots of a sentence that goes on elsewhere."""
    return re.sub(r"^(\.\.+|…)\s*|\s*(\.\.+|…)$", "", sets.clean(text))


def flaw(text: str) -> str | None:
    """Return why nobody says a clean text so, None if it can be said."""
    if re.search(r"[][()<>]", text):
        # A tone, or a remark to the speaker: it says how, or says it in English.
        return "note in brackets"
    if "%" in text:
        return "template"
    return None if any(letter.isalnum() for letter in text) else "no words"


def plain(text: str) -> str:
    """Return the letters and digits of a text, by which two texts are the same."""
    return "".join(c for c in text.casefold() if c.isalnum())


def split_of(sentence: str) -> str:
    """Return the split of a sentence: the same on every machine, for ever."""
    words = plain(sentence).encode()
    place = int.from_bytes(hashlib.sha256(words).digest()[:8]) % 100
    return "test" if place < TEST else "valid" if place < VALID else "train"

"""Read the spoken lines of the game "Drascula": acted dialogue in English and Spanish.

A clip is ``NAME.ALS``: 32 bytes, unsigned 8-bit samples of one channel at 11,025 Hz,
and 32 bytes. Its text is entry ``n`` of the table of its name's letters, where ``NAME``
is these letters and ``n``. ``drascula.dat`` holds the tables, of six languages each.
"""

import io
import re
import struct
import wave
from collections import Counter
from collections.abc import Iterator

from recording import Files, Recording, Text

RATE = 11_025
# Where the tables begin in drascula.dat: behind those of pictures and rooms.
TABLES = 7253
# Letters of the clips' names, in the order of the tables.
LETTERS = ("", "D", "B", "BJ", "E", "I", "L", "P", "T", "VB")
# Order of the languages in each table; the clips are English and Spanish.
ORDER = ("en", "es", "de", "fr", "it", "ru")
PACKAGES = {"en": "drascula", "es": "drascula-spanish"}


def drascula(language: str, files: Files, dropped: Counter[str]) -> Iterator[Recording]:
    """Yield the lines of the game; the English text of a line decides its split."""
    spoken, english = texts_of(language, files), texts_of("en", files)
    for path, content in files(PACKAGES[language]):
        found = re.search(r"/([A-Z]*)(\d+)\.als$", path, re.IGNORECASE)
        if not found:
            continue
        key = f"{found[1].upper()}{int(found[2])}"
        if not spoken.get(key):
            dropped["no text"] += 1
            continue
        text = sentence_case(spoken[key], language)
        sentence = english.get(key) or key
        yield Recording(key, text, sentence, as_wav(content[32:-32]), "wav")


def drascula_english(files: Files) -> dict[str, Text]:
    """Return the English text of each line by its key; the text decides the split."""
    texts = texts_of("en", files)
    return {key: Text(sentence_case(x, "en"), x or key) for key, x in texts.items()}


def texts_of(language: str, files: Files) -> dict[str, str]:
    """Return the texts of a language by key: a clip's name in capitals."""
    (data,) = (c for path, c in files("drascula") if path.endswith("en/drascula.dat"))
    return {
        f"{letters}{number}": text
        for letters, table in zip(LETTERS, read_tables(data), strict=False)
        for number, text in enumerate(table[language])
    }


def read_tables(data: bytes) -> Iterator[dict[str, list[str]]]:
    """Yield the texts of each table by language.

    A table is a big-endian count, and for each language a size and so many bytes.
    """
    at = TABLES
    while at + 4 < len(data):
        (count,) = struct.unpack_from(">H", data, at)
        at += 2
        table = {}
        for language in ORDER:
            (size,) = struct.unpack_from(">H", data, at)
            table[language] = read_texts(data[at + 2 : at + 2 + size], count)
            at += 2 + size
        yield table


def read_texts(data: bytes, count: int) -> list[str]:
    """Return the texts of one language: two bytes, then entries of a size and a text.

    The size counts its own two bytes; the text ends at a zero.
    """
    texts: list[str] = []
    at = 2
    while at + 2 <= len(data) and len(texts) < count:
        (size,) = struct.unpack_from(">H", data, at)
        text, _, _ = data[at + 2 : at + size].partition(b"\0")
        texts.append(text.decode("cp850"))
        at += max(size, 2)
    return texts


def sentence_case(text: str, language: str) -> str:
    """Return a text of capitals alone with capitals where sentences begin.

    >>> sentence_case("WHO'S THAT? I AM. THE COUNT", "en")
    "Who's that? I am. The count"
    """
    text = text.replace("º", " ")  # stands for a space in two lines
    if not text.isupper():
        return text
    text = text.lower()
    if language == "en":
        text = re.sub(r"\bi\b", "I", text)
    starts = r"((?:^|[.!?¡¿])\W*)(\w)"
    return re.sub(starts, lambda found: found[1] + found[2].upper(), text)


def as_wav(samples: bytes) -> bytes:
    """Return unsigned 8-bit samples of one channel as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(1)
        writer.setframerate(RATE)
        writer.writeframes(samples)
    return file.getvalue()

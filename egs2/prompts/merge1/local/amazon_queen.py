"""Read the spoken lines of the game "Flight of the Amazon Queen": acted English.

``queen.1c`` is one archive. Its files ``NAME.DOG`` hold the dialogues. ``NAME.SB`` are
the clips, MP3 of one channel at 11,025 Hz and 16 kbit/s. ``*`` and two letters or
digits cut a text into segments. Each segment has its clip, whose name tells the number
of the dialogue, the number of the text, who speaks (J is Joe, P another person), and
the segment's place.
"""

import re
import struct
from collections import Counter
from collections.abc import Iterator

from recording import Files, Recording

# In the archive: where the number of its files stands, and the list of them.
COUNT, ENTRIES, ENTRY_SIZE = 13, 15, 21
# In a dialogue: its head, and where in it the table of levels begins.
HEAD, LEVELS, LEVEL_SIZE = 20, 32, 96


def amazon_queen(
    language: str, files: Files, dropped: Counter[str]
) -> Iterator[Recording]:
    """Yield the lines of the game; the text of a line decides its split."""
    package = files("flight-of-the-amazon-queen")
    (archive,) = (content for path, content in package if path.endswith("queen.1c"))
    members = read_archive(archive)
    texts: dict[str, str] = {}
    for name in sorted(members):
        if name.endswith(".DOG"):
            for clip, text in read_dialogue(members[name]):
                texts.setdefault(clip, text)
    for name in sorted(members):
        if name.endswith(".SB"):
            text = texts.get(name, "").replace(
                "^_", ""
            )  # draws the sign of a trademark
            if text:
                yield Recording(
                    name.removesuffix(".SB"), text, text, members[name], "mp3"
                )
            else:
                dropped["no text"] += 1


def read_archive(data: bytes) -> dict[str, bytes]:
    """Return the files of ``queen.1c`` by name.

    An entry is a name of 12 bytes, one byte, and big-endian offset and size.
    """
    members = {}
    (count,) = struct.unpack_from(">H", data, COUNT)
    for index in range(count):
        name, at, size = struct.unpack_from(
            ">12sxII", data, ENTRIES + ENTRY_SIZE * index
        )
        members[name.decode("latin-1").strip("\0 ")] = data[at : at + size]
    return members


def read_dialogue(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield clip and text of each segment of a dialogue.

    Of the sixteen numbers after the head, the first counts the levels, the third is the
    number of the dialogue, and the fourth and fifth count the texts of Joe and of the
    other person, whose texts begin at the first positive number from the eleventh on.
    """
    body = data[HEAD:]
    numbers = struct.unpack_from(">16h", body)
    other = next((number for number in numbers[10:14] if number > 0), None)
    spoken = {"J": read_texts(body, LEVELS + LEVEL_SIZE * abs(numbers[0]), numbers[3])}
    if other is not None:
        spoken["P"] = read_texts(body, other, numbers[4])
    for person, texts in spoken.items():
        for number, text in texts.items():
            segments = re.split(r"\*(?:[A-Za-z]{2}|\d{2})", text)
            for place, segment in enumerate(segments, 1):
                clip = f"{numbers[2]:02d}{number:04X}{person}{place:X}.SB"
                if segment.strip():
                    yield clip, segment.strip()


def read_texts(data: bytes, at: int, count: int) -> dict[int, str]:
    """Return texts by number: two bytes, number, length, and text, padded to four."""
    texts = {}
    for _ in range(count):
        at += 2
        if at + 3 > len(data):
            break
        number, size = struct.unpack_from(">hB", data, at)
        at += 3
        texts[number] = data[at : at + size].decode("latin-1")
        at = (at + size + 3) & ~3
    return texts

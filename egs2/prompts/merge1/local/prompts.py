"""Read telephone prompts: Asterisk's core sounds, one voice per language."""

import gzip
import re
from collections import Counter
from collections.abc import Iterator

from recording import Files, Recording, Text

# Sounds whose description some lists give as if it were spoken.
TONES = ("beep", "beeperr", "confbridge-join", "confbridge-leave", "tt-monkeys")


def prompt_texts(language: str, files: Files) -> dict[str, str]:
    """Return the text of each telephone prompt by its key."""
    listing = f"core-sounds-{language}.txt.gz"
    package = files(f"asterisk-core-sounds-{language}")
    (packed,) = (file for path, file in package if path.endswith(listing))
    texts = {}
    for line in gzip.decompress(packed).decode("utf-8-sig").splitlines():
        key, colon, text = line.partition(":")
        if colon and not line.startswith(";"):
            texts[key.strip()] = text
    return texts


def prompts(language: str, files: Files, dropped: Counter[str]) -> Iterator[Recording]:
    """Yield telephone prompts: a list of ``key: sentence``, raw G.722 per key."""
    texts = prompt_texts(language, files)
    for path, content in files(f"asterisk-core-sounds-{language}-g722"):
        found = re.search(r"/sounds/[^/]+/(.+)\.g722$", path)
        if found:
            recording = spoken_prompt(found[1], texts, content, "g722", dropped)
            if recording is not None:
                yield recording


def spoken_prompt(
    key: str,
    texts: dict[str, str],
    content: bytes,
    container: str,
    dropped: Counter[str],
) -> Recording | None:
    """Return a prompt with its text, or None, counted, if it has none to be read."""
    if key in TONES or key.startswith(("letters/", "silence/", "phonetic/")):
        dropped["letter, silence or tone"] += 1
    elif key not in texts:
        dropped["no text"] += 1
    else:
        return Recording(key, texts[key], key, content, container)
    return None


def prompts_english(files: Files) -> dict[str, Text]:
    """Return the English text of each prompt by its key, which decides the split."""
    return {key: Text(text, key) for key, text in prompt_texts("en", files).items()}

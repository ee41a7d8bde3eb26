"""Read the recordings and their texts from the packages, by domain."""

import gzip
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

# Sounds whose description some lists give as if it were spoken.
TONES = ("beep", "beeperr", "confbridge-join", "confbridge-leave", "tt-monkeys")

Files = Callable[[str], Iterator[tuple[str, bytes]]]


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
        if not found:
            continue
        key = found[1]
        if key in TONES or key.startswith(("letters/", "silence/", "phonetic/")):
            dropped["letter, silence or tone"] += 1
        elif key not in texts:
            dropped["no text"] += 1
        else:
            yield Recording(key, texts[key], key, content, "g722")


_LUA_STRING = r'"((?:[^"\\]|\\.)*)"'
_DIALOGUE = re.compile(
    rf'dialogId\("([^"]+)",\s*"[^"]*",\s*{_LUA_STRING}\)\s*'
    rf"dialogStr\(\s*{_LUA_STRING}\s*\)"
)


def dialogue(language: str, files: Files, dropped: Counter[str]) -> Iterator[Recording]:
    """Yield dialogue of a game: texts in Lua scripts, an Ogg file per level and id."""
    texts = {}
    for path, content in files("fillets-ng-data"):
        script = re.search(rf"/script/([^/]+)/\w*dialogs_{language}\.lua$", path)
        if script:
            for name, english, text in _DIALOGUE.findall(content.decode()):
                texts[f"{script[1]}/{name}"] = english, re.sub(r"\\(.)", r"\1", text)
    for path, content in files(f"fillets-ng-data-{language}"):
        found = re.search(rf"/sound/([^/]+)/{language}/(.+)\.ogg$", path)
        if not found:
            continue
        key = f"{found[1]}/{found[2]}"
        if key in texts:
            english, text = texts[key]
            yield Recording(key, text, english, content)
        else:
            dropped["no text"] += 1


def captions(language: str, files: Files, dropped: Counter[str]) -> Iterator[Recording]:
    """Yield captions of pictures: Ogg files, each with a list of its texts."""
    sounds = {}
    lists = {}
    for path, content in files("tuxpaint-stamps-default"):
        _, found, key = path.partition("/stamps/")
        if found and key.endswith(f"_desc_{language}.ogg"):
            sounds[key.removesuffix(f"_desc_{language}.ogg")] = content
        elif found and key.endswith(".txt"):
            lists[key.removesuffix(".txt")] = content.decode().splitlines()
    for key, content in sounds.items():
        lines = lists.get(key, [])
        text = next((x for x in lines if x.startswith(f"{language}.utf8=")), None)
        if text is None:
            dropped["no text"] += 1
        else:
            yield Recording(key, text.partition("=")[2], lines[0], content)


# Domain -> its languages and how to read them.
DOMAINS = {
    "prompts": (("es", "it", "ru", "en", "fr"), prompts),
    "dialogue": (("cs", "nl"), dialogue),
    "captions": (("fr", "es", "ru", "ro", "ca", "bg", "el", "be", "da"), captions),
}

"""Read captions of Tux Paint's pictures: a few words each, spoken by volunteers."""

from collections import Counter
from collections.abc import Iterator

from recording import Files, Recording


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

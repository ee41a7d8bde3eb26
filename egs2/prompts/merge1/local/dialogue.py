"""Read dialogue of the game "Fish Fillets": acted, many characters, voice effects."""

import re
from collections import Counter
from collections.abc import Iterator

from recording import Files, Recording

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

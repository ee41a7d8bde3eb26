"""The page of the configurations that recipes share, by what their first lines say."""

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from docs.site.outside import ROOT

CONF = ROOT / "conf"
# Folder of conf -> its heading, and the option that names a file of it.
FOLDERS = {
    "train": ("Training", "`--full_config`, `--lora_config`, `--objectives`"),
    "merge": ("Merging", "`--merge_configs`"),
    "search": ("Searching coefficients", "`--search`"),
    "decode": ("Decoding", "`--decode_configs`"),
}


def page() -> str:
    """Return the page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield (
        "# Configurations\n\nOptions of a recipe name these files of `conf`, or others "
        "of the same form by their path; a file of this name in the recipe's own "
        "`conf` overrides it."
    )
    for folder, (title, options) in FOLDERS.items():
        yield f"\n## {title}\n\n`conf/{folder}`, named by {options}:\n"
        yield "| name | what it is |\n|---|---|"
        for path in sorted((CONF / folder).glob("*.yaml")):
            link = f"../../conf/{folder}/{path.name}"
            yield f"| [`{path.stem}`]({link}) | {says(path)} |"


def says(path: Path) -> str:
    """Return the comment that a file begins with, as one line."""
    lines = path.read_text("utf-8").splitlines()
    comment = takewhile(lambda line: line.startswith("#"), lines)
    return re.sub(r"\s+", " ", " ".join(line.lstrip("# ") for line in comment)).strip()

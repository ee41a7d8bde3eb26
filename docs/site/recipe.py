"""The page of a recipe's options, as its scripts print them."""

import re
import subprocess
from collections.abc import Iterator

from docs.site.outside import ROOT

# Where scripts of the template are started from.
RECIPE = ROOT / "egs2" / "prompts" / "merge1"
SCRIPTS = {
    "merge.sh": "run.sh",
    "expand.sh": "expand.sh",
    "add_language.sh": "add_language.sh",
    "remove_language.sh": "remove_language.sh",
}
OPTION = re.compile(r"^--(\w+) +(.*?) *# (.*)$", re.MULTILINE)
ALIAS = re.compile(r"^--(\w+) is --(\w+)$", re.MULTILINE)


def page() -> str:
    """Return the page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield (
        "# Options of a recipe\n\nA recipe's `run.sh` sets some and hands the rest to "
        'the template: `./run.sh --stage 8 --merge_configs "tsv_m ties"`. `--config '
        "FILE` reads them from lines `name: value`. What a recipe does not decide goes "
        "through `--train_args`, `--merge_args` and `--decode_args`. How the parts fit "
        "together: [recipes](../recipes.md).\n"
    )
    for script, name in SCRIPTS.items():
        text = printed(script)
        yield f"## `{name}`\n\n{text.partition('Options, with')[0].strip()}\n"
        yield "| option | default | what it is |\n|---|---|---|"
        for option, default, what in OPTION.findall(text):
            shown = f"`{default}`" if default else ""
            yield f"| `--{option}` | {shown} | {_cell(what)} |"
        if aliases := ALIAS.findall(text):
            yield "\nNames of ESPnet's `asr.sh` work, too:\n"
            yield "| in `asr.sh` | here |\n|---|---|"
            yield from (f"| `--{there}` | `--{here}` |" for there, here in aliases)
        yield ""


def _cell(text: str) -> str:
    return text.replace("|", "&#124;").replace("<", "&lt;")


def printed(script: str) -> str:
    """Return what a script of the template prints for ``--help``."""
    return subprocess.run(
        [f"../../TEMPLATE/merge1/{script}", "--help"],
        cwd=RECIPE, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

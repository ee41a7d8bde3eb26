"""Write the page of a training's options: ``python -m docs.site.training``.

It is written once and not while the site is built, for ESPnet takes long to import.
"""

import argparse
import io
from collections.abc import Iterator
from contextlib import redirect_stderr

from docs.site.outside import DOCS

PAGE = DOCS / "reference" / "training.md"
NOTE = "<!-- Written by docs/site/training.py from the parser: change that instead. -->"
OURS = "Whisper"
WELL_KNOWN = ("help", "config")
ESPNET = (
    "They mean what they mean in every recipe of ESPnet; `--help` explains each, and "
    "`--print_config` prints all with their values."
)
HEAD = f"""{NOTE}

# Options of a training

`python -m espnet_merge.bin.whisper_train` takes them on the command line, as
`--max_epoch 2`, or from `--config FILE` in lines `max_epoch: 2`; a recipe hands over
what stands in `--train_args`. `python -m espnet_merge.bin.objectives_train` trains on
several objectives and takes `objectives_conf` besides ([Objective
Soups](../objective_soups.md)). What is special to Whisper: [training](../training.md).
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """Return the page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    with redirect_stderr(io.StringIO()):  # it says what it does without
        from espnet_merge.tasks.objectives import ObjectivesTask

    own, others = [], {}
    for group in ObjectivesTask.get_parser()._action_groups:
        actions = [a for a in group._group_actions if a.dest not in WELL_KNOWN]
        if group.description == OURS or group.title == "options":
            own += actions
        elif actions:
            others[group.title or ""] = actions
    yield HEAD
    yield "| option | default | what it is |\n|---|---|---|"
    yield from map(_row, own)
    yield f"\n## ESPnet's own\n\n{ESPNET}\n"
    yield "| options | names |\n|---|---|"
    for title, actions in others.items():
        names = ", ".join(f"`{action.option_strings[0]}`" for action in actions)
        yield f"| {title.removesuffix(' related')} | {names} |"
    yield ""


def _row(action: argparse.Action) -> str:
    default = action.default
    shown = "" if default in (None, {}) else f"`{default}`"
    what = " ".join((action.help or "").split())
    if action.choices:
        what += f": {', '.join(f'`{choice}`' for choice in action.choices)}"
    return f"| `{action.option_strings[0]}` | {shown} | {what} |"


if __name__ == "__main__":
    main()

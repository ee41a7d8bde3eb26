"""Where others find a model: its name and commit on the hub, and its licence."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from espnet_merge.checkpoint.hub_names import HUB, name_of
from espnet_merge.files import EXPORT_YAML, FETCH_JSON, MERGE_YAML, README_MD

OPENAI, PACKAGES = "openai/", "packages"
# What the hub says of all repositories of OpenAI's Whisper.
OPENAI_LICENSE = "apache-2.0"
FRONT_MATTER = re.compile(r"\A\s*---\r?\n(.*?)\r?\n---\s*$", re.DOTALL | re.MULTILINE)


def origin_of(model: Path) -> str:
    """Return the name on the hub of what a model or adapter is a copy of.

    Args:
        model: its directory or file.

    Returns:
        ``OWNER/NAME@COMMIT``, without the commit where no record says it. Empty if
        unknown, and of what was trained or merged here, which has no name yet.
    """
    directory = model if model.is_dir() else model.parent
    return "" if _is_derived(directory) else _on_hub(directory)


def hub_name(model: Path) -> str:
    """Return the name of a model on the hub, without a commit; empty if unknown."""
    return origin_of(model).partition("@")[0]


def license_of(model: Path) -> str:
    """Return the licence of a model, by the hub's name for it; empty if unknown.

    Args:
        model: its directory or file; a model card beside it comes first.
    """
    directory = model if model.is_dir() else model.parent
    openai = hub_name(model).lower().startswith(OPENAI)
    return _license_in(directory / README_MD) or (OPENAI_LICENSE if openai else "")


def source_of(model: Path, digests: dict[str, str]) -> dict[str, Any]:
    """Return what a record says of an input; one of the hub by name and commit.

    Args:
        model: directory or file.
        digests: SHA-256 of its files, by name.
    """
    name, origin = name_of(model), origin_of(model)
    told = {"origin": origin if origin != name else "", "license": license_of(model)}
    known = {key: value for key, value in told.items() if value}
    return {"path": name, **known, "sha256": digests}


def _is_derived(directory: Path) -> bool:
    return any((directory / name).is_file() for name in (MERGE_YAML, EXPORT_YAML))


def _on_hub(directory: Path) -> str:
    try:
        fetched = json.loads((directory / FETCH_JSON).read_bytes())
        origin, source = str(fetched["origin"]), str(fetched.get("source", ""))
    except (OSError, ValueError, KeyError, TypeError):
        name = name_of(directory)
        return name if name != str(directory) else ""
    if origin.startswith(HUB):
        commit = fetched.get("commit")
        return origin.removeprefix(HUB) + (f"@{commit}" if commit else "")
    if origin == PACKAGES and source:  # they hold the weights that the hub has
        return source if "/" in source else f"{OPENAI}whisper-{source}"
    return ""


def _license_in(readme: Path) -> str:
    """Return the licence in a model card; empty if it says none."""
    try:
        found = FRONT_MATTER.match(readme.read_text("utf-8"))
        said = yaml.safe_load(found[1])["license"] if found else ""
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return ""
    return said.lower() if isinstance(said, str) else ""

"""Where others find a model: its name and commit on the hub, and its licence."""

import json
import re
from pathlib import Path

import yaml

from espnet_merge.files import EXPORT_YAML, FETCH_JSON, MERGE_YAML, README_MD

OPENAI, HUB, PACKAGES = "openai/", "hub:", "packages"
# What the hub says of all repositories of OpenAI's Whisper.
OPENAI_LICENCE = "apache-2.0"
# Where the hub's client keeps a repository.
CACHED = re.compile(r"models--([^/]+)--([^/]+)/snapshots/([0-9a-f]{40})$")
FRONT_MATTER = re.compile(r"\A\s*---\r?\n(.*?)\r?\n---\s*$", re.DOTALL | re.MULTILINE)


def origin_of(model: Path) -> dict[str, str]:
    """Return what records say of where a model or adapter comes from.

    Args:
        model: its directory or file.

    Returns:
        ``hub``, its name there, ``commit`` and ``license``, each where it is known. A
        model that was trained or merged here has no name yet.
    """
    directory = model if model.is_dir() else model.parent
    found = {} if _is_derived(directory) else _on_hub(directory)
    licence = _licence_in(directory / README_MD)
    if not licence and found.get("hub", "").lower().startswith(OPENAI):
        licence = OPENAI_LICENCE
    return found | ({"license": licence} if licence else {})


def hub_name(model: Path) -> str:
    """Return the name of a model on the hub; empty if none is known."""
    return origin_of(model).get("hub", "")


def _is_derived(directory: Path) -> bool:
    return any((directory / name).is_file() for name in (MERGE_YAML, EXPORT_YAML))


def _on_hub(directory: Path) -> dict[str, str]:
    try:
        fetched = json.loads((directory / FETCH_JSON).read_bytes())
        origin, source = str(fetched["origin"]), str(fetched.get("source", ""))
    except (OSError, ValueError, KeyError, TypeError):
        if cached := CACHED.search(str(directory.absolute())):
            owner, name, commit = cached.groups()
            return {"hub": f"{owner}/{name}", "commit": commit}
        return {}
    if origin.startswith(HUB):
        commit = fetched.get("commit")
        hub = {"hub": origin.removeprefix(HUB)}
        return hub | ({"commit": str(commit)} if commit else {})
    if origin == PACKAGES and source:  # they hold the weights that the hub has of this size
        return {"hub": source if "/" in source else f"{OPENAI}whisper-{source}"}
    return {}


def _licence_in(readme: Path) -> str:
    """Return the licence in a model card; empty if it says none."""
    try:
        found = FRONT_MATTER.match(readme.read_text("utf-8"))
        said = yaml.safe_load(found[1])["license"] if found else ""
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return ""
    return said.lower() if isinstance(said, str) else ""

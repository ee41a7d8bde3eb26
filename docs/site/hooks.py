"""What MkDocs calls while it builds the site: pages of the code, links, formulas."""

import re
from pathlib import PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.generate import SHOWN
from docs.site import (
    commands,
    configurations,
    formulas,
    measured,
    outside,
    recipe,
    shell,
    tables,
)
from espnet_merge.__main__ import COMMANDS
from espnet_merge.files import README_MD

COMMENT = re.compile(r"\A<!-- .*? -->\s*")
# Folders that an entry of the navigation stands for -> names of their pages.
LISTED = {commands.FOLDER: COMMANDS, "methods/": SHOWN}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Name every page of the folders that the navigation lists as one."""
    config.nav = _listed(config.nav)
    return config


def _listed(entry: Any) -> Any:
    if isinstance(entry, list):
        return [_listed(one) for one in entry]
    if isinstance(entry, dict):
        return {title: _listed(one) for title, one in entry.items()}
    if entry in LISTED:
        return [f"{entry}{README_MD}", *({x: f"{entry}{x}.md"} for x in LISTED[entry])]
    return entry


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is made of the code, and files that pages lead to."""
    font = f"site/{formulas.FONT.name}"
    files.append(File.generated(config, font, abs_src_path=str(formulas.FONT)))
    for address, text in _made().items():
        files.append(File.generated(config, address, content=text))
    pages = {f.src_uri: f.content_string for f in files if f.is_documentation_page()}
    named = map(outside.path_of, _sources(config.nav))
    for path in sorted({*named, *outside.reached(pages)}):
        address = outside.address_of(path)
        if address.endswith(".md"):
            file = File.generated(config, address, content=outside.page(path))
        else:
            file = File.generated(config, address, abs_src_path=str(path))
        files.append(file)
    return files


def _made() -> dict[str, str]:
    """Return the pages that are made of the code, by address."""
    return {
        **commands.pages(),
        "reference/recipe.md": recipe.page(),
        "reference/configurations.md": configurations.page(),
    }


def _sources(entry: Any) -> list[str]:
    """Return what the navigation names outside ``docs``."""
    if isinstance(entry, str):
        return [entry] if entry.startswith(outside.SOURCE) else []
    parts = entry.values() if isinstance(entry, dict) else entry
    return [address for part in parts for address in _sources(part)]


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lead links to pages, add what was measured, fold commands, keep formulas."""
    # Its title is the heading, if that comes first.
    markdown = COMMENT.sub("", markdown)
    address = page.file.src_uri
    place = PurePosixPath(address)
    if place.parent.name == "methods" and place.stem in SHOWN:
        text, heading, rest = markdown.partition("## Source\n")
        markdown = f"{text}{measured.section(place.stem)}\n{heading}{rest}"
    return formulas.hold(shell.fold(outside.with_addresses(address, markdown)))


def on_page_content(html: str, **_: Any) -> str:
    """Draw the formulas, and mark options and sentences in tables."""
    return formulas.draw(tables.mark_sentences(shell.mark_options(html)))

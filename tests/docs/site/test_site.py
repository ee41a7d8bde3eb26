"""The site as its reader has it: links, search, a phone, and no network."""

import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from docs.generate import SHOWN
from espnet_merge.__main__ import COMMANDS
from tests.docs.site.conftest import ROOT

TARGET = re.compile(r'<(?:a|img|script|link)\b[^>]*? (?:href|src)="?([^"\s>]+)')
FETCHED = re.compile(
    r'<(?:img|script|link|iframe)\b[^>]*? (?:href|src)="?(https?:[^"\s>]+)'
)
PHONE = {"width": 390, "height": 800}
# A page of each kind.
SEEN = (
    "index.html",
    "concepts.html",
    "troubleshooting.html",
    "guides/merge_two.html",
    "methods/tsv_m.html",
    "methods/index.html",
    "reference/commands/merge.html",
    "reference/recipe.html",
    "reference/python.html",
    "results/index.html",
    "source/egs2/domains/merge1/DOMAINS.html",
    "source/espnet_merge/methods/tsv_m.py.html",
)


class Lenient(yaml.SafeLoader):
    """Takes MkDocs' own tags for nothing."""


Lenient.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)
NAV = yaml.load((ROOT / "mkdocs.yml").read_text("utf-8"), Lenient)["nav"]


def named(entry):
    """Yield the pages that a navigation names."""
    if isinstance(entry, str):
        yield entry
        return
    for part in entry.values() if isinstance(entry, dict) else entry:
        yield from named(part)


@pytest.fixture(scope="module")
def pages(site):
    return {path: path.read_text("utf-8") for path in site.rglob("*.html")}


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport=PHONE, service_workers="block")
    yield context.new_page()
    context.close()


def test_every_page_is_in_the_navigation():
    folders = {name for name in named(NAV) if name.endswith("/")}
    assert folders == {"methods/", "reference/commands/"}
    written = {p.relative_to(ROOT / "docs") for p in (ROOT / "docs").rglob("*.md")}
    own = {str(path) for path in written if path.parts[0] != "methods"}
    assert own <= set(named(NAV))


def test_every_command_and_method_has_a_page(site):
    for name in COMMANDS:
        assert (site / "reference" / "commands" / f"{name}.html").is_file()
    for name in SHOWN:
        text = (site / "methods" / f"{name}.html").read_text("utf-8")
        assert 'id="what-was-measured"' in text


def test_no_link_is_dead(site, pages):
    places = {
        path: set(re.findall(r' id="?([^"\s>]+)', t)) for path, t in pages.items()
    }
    dead = []
    for path, text in pages.items():
        for link in set(TARGET.findall(text)):
            parts = urlsplit(unescape(link))
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            target = (
                (path.parent / unquote(parts.path)).resolve() if parts.path else path
            )
            target = target / "index.html" if target.is_dir() else target
            known = places.get(target)
            if not target.is_file() or (
                parts.fragment and known and unquote(parts.fragment) not in known
            ):
                dead.append(f"{path.relative_to(site)}: {link}")
    assert sum(map(len, places.values())) > 1000
    assert dead == []


def test_nothing_is_fetched_from_the_network(pages):
    fetched = {p.name: found for p, t in pages.items() if (found := FETCHED.findall(t))}
    assert fetched == {}


def test_a_formula_is_drawn(pages, site):
    text = pages[site / "methods" / "tsv_m.html"]
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"' in text
    shown = {
        p: t for p, t in pages.items() if "source" not in p.relative_to(site).parts
    }
    assert not [p.name for p, t in shown.items() if "\\mathrm" in t or "$`" in t]


@pytest.mark.parametrize("name", SEEN)
def test_readable_on_a_phone(page, address, name):
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.goto(address + name)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
    assert page.locator("h1").bounding_box()["height"] < 200
    assert said == []
    assert [url for url in asked if not url.startswith((address, "data:"))] == []


@pytest.mark.parametrize("from_disk", [False, True])
def test_search_finds(page, address, site, from_disk):
    start = f"{site.as_uri()}/" if from_disk else address
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{start}index.html")
    # The search looks at each key.
    page.locator("input.md-search__input").press_sequentially("interference")
    found = page.locator(".md-search-result__link").first
    found.wait_for(timeout=60_000)
    assert "Interference" in page.locator(".md-search-result__list").inner_text()
    found.click()
    page.wait_for_url(lambda url: "concepts" in url or "interference" in url.lower())
    assert "nterference" in page.locator("article").inner_text()


def test_a_link_of_the_first_page_leads_on(page, address):
    page.goto(f"{address}index.html")
    page.locator("article").get_by_role("link", name="troubleshooting").click()
    assert page.locator("h1").inner_text().startswith("Troubleshooting")
    assert Path(urlsplit(page.url).path).name == "troubleshooting.html"

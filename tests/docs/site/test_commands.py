import re

import pytest

from docs.site.commands import FOLDER, pages, usage, values
from espnet_merge.__main__ import COMMANDS
from espnet_merge.bin import decode, merge, seeds
from espnet_merge.options import declared

PAGES = pages()


def test_every_command_is_in_the_index():
    linked = re.findall(r"\]\(([\w-]+)\.md\)", PAGES[f"{FOLDER}README.md"])
    assert linked == list(COMMANDS)
    assert PAGES.keys() == {f"{FOLDER}{name}.md" for name in ["README", *COMMANDS]}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_says_every_option_that_the_usage_has(name):
    page = PAGES[f"{FOLDER}{name}.md"]
    (shown,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    assert shown.startswith(f"espnet-merge {name}")
    rows = set(re.findall(r"^\| `(-[\w-]+)", page, re.MULTILINE))
    assert rows == set(re.findall(r"[\[\s](--?[\w-]+)", shown)) - {"-h"}
    assert page.count("```") % 2 == 0


def test_usage_does_not_depend_on_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    lines = usage("merge", merge.Command).splitlines()
    assert max(map(len, lines)) > 60
    assert lines[1].startswith(" " * len("espnet-merge merge "))


def test_rows_say_default_range_and_need():
    page = PAGES[f"{FOLDER}decode.md"]
    assert re.search(r"^\| `--model` \| .* \| \*\*needed\*\* \|", page, re.M)
    assert re.search(r"^\| `--beam` \| .* \| `1` \| 1 to 100 \|$", page, re.M)
    assert values(declared(decode.Command)["task"]) == "`transcribe`, `translate`"
    assert values(declared(decode.Command)["overwrite"]) == ""


def test_examples_keep_the_indent_of_what_goes_on():
    page = PAGES[f"{FOLDER}seeds.md"]
    assert "```sh\nespnet-merge seeds --sets" in page
    assert "\n  --row " in page
    assert "| `--row SYSTEM DIR` |" in page
    assert declared(seeds.Command)["row"].option.help in page

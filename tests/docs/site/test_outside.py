import pytest

from docs.site.outside import ROOT, address_of, page, path_of, reached, with_addresses

PAGE = (ROOT / "docs" / "recipes.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("file", "address"),
    [
        ("docs/lora.md", "lora.md"),
        ("README.md", "source/README.md"),
        ("espnet_merge/errors.py", "source/espnet_merge/errors.py.md"),
        ("benchmarks/growth.png", "source/benchmarks/growth.png"),
    ],
)
def test_addresses(file, address):
    assert address_of(ROOT / file) == address
    assert path_of(address.removesuffix(".py.md")) is not None


def test_links_lead_to_the_pages_that_show_the_files():
    text = "[a](../egs2/prompts/merge1/README.md#x) [b](search.md) [c](https://d.org)"
    assert with_addresses("lora.md", text) == (
        "[a](source/egs2/prompts/merge1/README.md#x) [b](search.md) [c](https://d.org)"
    )


def test_links_of_a_page_outside_lead_into_the_site():
    text = "[t](../../../docs/translation.md) [r](EXPAND.md) [gone](nowhere.md)"
    assert with_addresses("source/egs2/prompts/merge1/README.md", text) == (
        "[t](../../../../translation.md) [r](EXPAND.md) [gone](nowhere.md)"
    )


def test_what_is_reached_by_others_is_reached():
    found = {str(path.relative_to(ROOT)) for path in reached({"recipes.md": PAGE})}
    assert "egs2/prompts/merge1/README.md" in found
    assert "egs2/prompts/merge1/OBJECTIVES.md" in found  # by the README alone
    assert "egs2/prompts/merge1/images/conflict.png" in found  # by OBJECTIVES.md
    assert not any(name.startswith("docs/") for name in found)


def test_code_is_shown_whole_and_not_searched():
    shown = page(ROOT / "espnet_merge" / "version.py")
    assert (ROOT / "espnet_merge" / "version.py").read_text() in shown
    assert "~~~~~python\n" in shown
    assert "exclude: true" in shown

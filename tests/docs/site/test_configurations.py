import re

from docs.site.configurations import CONF, FOLDERS, page, says


def test_every_file_has_a_row_that_says_something():
    rows = re.findall(r"^\| \[`(\w+)`\]\((.+?)\) \| (.+) \|$", page(), re.MULTILINE)
    files = [p for folder in FOLDERS for p in sorted((CONF / folder).glob("*.yaml"))]
    assert [name for name, *_ in rows] == [path.stem for path in files]
    assert all(
        (CONF.parent / "docs" / "reference" / link).exists() for _, link, _ in rows
    )


def test_a_comment_of_several_lines_is_one():
    assert says(CONF / "merge" / "ties.yaml") == (
        "TIES-Merging (Yadav et al., 2023): the paper's values without tuning."
    )
    assert "  " not in says(CONF / "decode" / "tail.yaml")

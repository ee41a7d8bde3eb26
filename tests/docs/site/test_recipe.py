import re

from docs.site.recipe import SCRIPTS, page, printed

PAGE = page()


def test_every_option_of_every_script_has_a_row():
    parts = dict(re.findall(r"^## `(\w+\.sh)`\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
    assert list(parts) == list(SCRIPTS.values())
    for script, name in SCRIPTS.items():
        lines = [x for x in printed(script).splitlines() if x.startswith("--")]
        rows = re.findall(r"^\| `--\w+` \|", parts[name], re.MULTILINE)
        assert len(rows) == len(lines) > 3


def test_rows_have_default_and_alias():
    assert "| `--stage` | `1` | first stage to run" in PAGE
    assert "| `--asr_config` | `--full_config` |" in PAGE
    assert "| `--test_sets` |  | names of the test sets" in PAGE

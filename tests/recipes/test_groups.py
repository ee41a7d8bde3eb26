"""The recipe with two experts of one language, and a set that is nobody's.

All are decoded as they were trained, which is the default.
"""

import json

import pytest

from tests.recipes.test_merge1 import Recipe

OPTIONS = {
    "experts": "es es_news",
    "test_sets": "es_test es_news_test es_ood_test",
    "kinds": "full",
    "joint": "",
    "merge_configs": "soup",
    "decode_configs": "as_trained",
}


@pytest.fixture(scope="module")
def exp(tmp_path_factory, micro_whisper, warm):
    recipe = Recipe(tmp_path_factory.mktemp("tree"), micro_whisper, warm)
    done = recipe.run(**OPTIONS)
    assert done.returncode == 0, done.stderr[-3000:]
    return recipe.directory / "exp"


def wer(exp, system, name):
    (path,) = (exp / system).glob(f"inference_*/{name}/score.json")
    return json.loads(path.read_text("utf-8"))["metrics"]["wer"]["normalized"]["rate"]


def test_columns_are_of_the_groups(exp):
    lines = (exp / "RESULTS.md").read_text("utf-8").splitlines()
    columns = "es_test | es_news_test | **trained** | es_ood_test | **untrained**"
    assert f"| system | {columns} | decoded |" in lines
    assert "| full_es_news | expert es_news |" in "\n".join(lines)


def test_the_yardstick_of_a_set_is_the_expert_of_its_group(exp):
    text = (exp / "RESULTS.md").read_text("utf-8")
    assert "; experts full_es, full_es_news\n" in text
    (tables,) = json.loads((exp / "results.json").read_text("utf-8")).values()
    for system, row in tables["relative"].items():
        assert row.keys() == {"es_test", "es_news_test", "trained"}
        for name, expert in (("es_test", "full_es"), ("es_news_test", "full_es_news")):
            share = wer(exp, expert, name) / wer(exp, system, name)
            assert row[name] == pytest.approx(100 * share)


def test_each_system_is_decoded_as_it_was_trained_and_its_row_says_so(exp):
    for system, expected in (
        ("zero_shot", (30, 0)),
        ("full_es", (0, 4)),
        ("soup", (0, 4)),
    ):
        (path,) = (exp / system).glob("inference_*/es_test/score.json")
        mode = json.loads(path.read_text("utf-8"))["mode"]
        assert (mode["pad_to"], mode["tail"]) == expected
    lines = (exp / "RESULTS.md").read_text("utf-8").splitlines()
    assert any(
        line.startswith("### Language identified correctly, in %") for line in lines
    )
    for system, silence in (
        ("zero_shot", "padded to 30 s"),
        ("soup", "true length, 4 s of silence after it"),
    ):
        rows = [line.strip("| ").split(" | ") for line in lines]
        ends = {row[-1] for row in rows if row[0] == system and len(row) > 3}
        assert ends == {silence}

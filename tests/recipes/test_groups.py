"""The recipe with two experts of one language, and a set that is nobody's."""

import json

import pytest

from tests.recipes.test_merge1 import Recipe

OPTIONS = {
    "experts": "es es_news",
    "test_sets": "es_test es_news_test es_ood_test",
    "kinds": "full",
    "joint": "",
    "merge_configs": "soup",
}


@pytest.fixture(scope="module")
def exp(tmp_path_factory, micro_whisper):
    recipe = Recipe(tmp_path_factory.mktemp("tree"), micro_whisper)
    done = recipe.run(**OPTIONS)
    assert done.returncode == 0, done.stderr[-3000:]
    return recipe.directory / "exp"


def wer(exp, system, name):
    (path,) = (exp / system).glob(f"inference_*/{name}/score.json")
    return json.loads(path.read_text("utf-8"))["metrics"]["wer"]["normalized"]["rate"]


def test_columns_are_of_the_groups(exp):
    lines = (exp / "RESULTS.md").read_text("utf-8").splitlines()
    columns = "es_test | es_news_test | **trained** | es_ood_test | **untrained**"
    assert f"| system | {columns} |" in lines
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

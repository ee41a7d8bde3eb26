"""The recipe with two experts of one language, and a set that is nobody's.

All are decoded as they were trained, which is the default. Three systems route between
the LoRA experts.
"""

import json
from collections import Counter

import pytest

from tests.recipes.test_merge1 import ROOT, Recipe

OPTIONS = {
    "experts": "es es_news",
    "test_sets": "es_test es_news_test es_ood_test",
    "kinds": "lora",
    "merge_kind": "lora",
    "routes": "mixture routed routed_heard",
    "mixture_config": "conf/mixture.yaml",
    "joint": "",
    "merge_configs": "soup",
    "decode_configs": "as_trained",
}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, micro_whisper, warm):
    recipe = Recipe(tmp_path_factory.mktemp("tree"), micro_whisper, warm)
    mixture = (ROOT / "conf" / "train" / "mixture.yaml").read_text("utf-8")
    gate = mixture.replace("r: 32", "r: 0")
    (recipe.directory / "conf" / "mixture.yaml").write_text(gate, "utf-8")
    done = recipe.run(**OPTIONS)
    assert done.returncode == 0, done.stderr[-3000:]
    return recipe


@pytest.fixture(scope="module")
def exp(recipe):
    return recipe.directory / "exp"


def wer(exp, system, name):
    (path,) = (exp / system).glob(f"inference_*/{name}/score.json")
    return json.loads(path.read_text("utf-8"))["metrics"]["wer"]["normalized"]["rate"]


def test_columns_are_of_the_groups(exp):
    lines = (exp / "RESULTS.md").read_text("utf-8").splitlines()
    seen, unseen = "es_test | es_news_test | **in-domain**", "es_ood_test"
    means = "**out-of-domain** | **full**"
    assert f"| system | {seen} | {unseen} | {means} | decoded |" in lines
    assert "| lora_es_news | expert es_news |" in "\n".join(lines)


def test_the_yardstick_of_a_set_is_the_expert_of_its_group(exp):
    text = (exp / "RESULTS.md").read_text("utf-8")
    assert "; experts lora_es, lora_es_news\n" in text
    (tables,) = json.loads((exp / "results.json").read_text("utf-8")).values()
    for system, row in tables["relative"].items():
        assert row.keys() == {"es_test", "es_news_test", "in-domain"}
        for name, expert in (("es_test", "lora_es"), ("es_news_test", "lora_es_news")):
            share = wer(exp, expert, name) / wer(exp, system, name)
            assert row[name] == pytest.approx(100 * share)


def test_each_system_is_decoded_as_it_was_trained_and_its_row_says_so(exp):
    for system, expected in (
        ("zero_shot", (30, 0)),
        ("lora_es", (0, 4)),
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


def test_routed_is_the_expert_of_the_group_or_the_base(exp):
    for name, own in (
        ("es_test", "lora_es/inference_as_trained"),
        ("es_news_test", "lora_es_news/inference_as_trained"),
        ("es_ood_test", "zero_shot/inference_padded"),
    ):
        place = exp / "routed" / "inference_as_trained" / name
        assert place.resolve() == (exp / own / name).resolve()
    lines = (exp / "RESULTS.md").read_text("utf-8").splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines]
    ends = {row[-1] for row in rows if row[0] == "routed" and len(row) > 3}
    assert ends == {"true length, 4 s of silence after it or padded to 30 s"}


def test_what_is_heard_chooses_an_expert_and_its_errors_have_a_price(exp):
    tables = json.loads((exp / "results.json").read_text("utf-8"))["as_trained"]
    for name, table in tables["routes"]["routed_heard"].items():
        (path,) = (exp / "routed_heard").glob(f"inference_*/{name}/text.json")
        records = json.loads(path.read_text("utf-8"))["utterances"].values()
        chosen = Counter(record.get("adapter", "none") for record in records)
        assert {x: cell["utterances"] for x, cell in table["es"].items()} == chosen
        assert chosen.keys() <= {"es", "es_news", "none"}
        assert {record["language"] for record in records} == {"es"}
    assert tables["routed_differences"].keys() == {"routed_heard", "mixture"}
    for system, row in tables["routed_differences"].items():
        for name in ("es_test", "es_news_test", "es_ood_test"):
            price = wer(exp, system, name) - wer(exp, "routed", name)
            assert row[name] == pytest.approx(price)


def test_the_router_and_its_price_are_in_the_results(exp):
    text = (exp / "RESULTS.md").read_text("utf-8")
    record = json.loads((exp / "routed_heard/router/router.json").read_text("utf-8"))
    assert record["valid"].keys() == {"es", "es_news"}
    assert (record["pad_to"], record["tail"]) == (0, 4)
    assert f"has an accuracy of {record['accuracy']:.1f} % on the validation" in text
    assert "### Utterances by chosen expert (WER in them)" in text
    assert "### Difference to routed (points of WER)" in text
    for system in ("routed", "routed_heard", "mixture"):
        assert f"| {system} | routed | " in text


def test_the_gate_of_a_mixture_knows_the_experts(exp):
    record = json.loads((exp / "mixture/model/mixture_config.json").read_text("utf-8"))
    assert record["experts"] == ["exp/lora_es/model", "exp/lora_es_news/model"]
    assert record["r"] == 0


def test_nothing_is_routed_or_trained_again(recipe, exp):
    files = [
        *exp.glob("routed*/router/*"),
        *exp.glob("*/inference_*/*/text.json"),
        *exp.glob("mixture/model/*"),
    ]
    before = {path: path.stat().st_mtime_ns for path in files}
    done = recipe.run(**OPTIONS, stage="7", stop_stage="9")
    assert done.returncode == 0, done.stderr[-3000:]
    assert {path: path.stat().st_mtime_ns for path in files} == before

"""The recipe on both tasks: recordings transcribed, and translated into English."""

import json

import pytest

from espnet_merge.data.table import read_table
from tests.recipes.test_merge1 import Recipe

OPTIONS = {
    "experts": "es es-en",
    "test_sets": "es_test es-en_test",
    "kinds": "full",
    "joint": "",
    "two_stage": "true",
    "merge_configs": "soup",
    "seeds": "7",
}


@pytest.fixture(scope="module")
def exp(tmp_path_factory, micro_whisper):
    recipe = Recipe(tmp_path_factory.mktemp("tree"), micro_whisper)
    done = recipe.run(**OPTIONS)
    assert done.returncode == 0, done.stderr[-3000:]
    return recipe.directory / "exp"


def test_each_set_is_scored_by_its_task(exp):
    for system in ("zero_shot", "full_es", "full_es-en", "soup", "two_stage"):
        for name, metric in (("es_test", "wer"), ("es-en_test", "bleu")):
            (path,) = (exp / "seed_7" / system).glob(f"inference_*/{name}/score.json")
            score = json.loads(path.read_text("utf-8"))
            assert (score["main"], score["utterances"]) == (metric, 2)
            heard = json.loads((path.parent / "text.json").read_text("utf-8"))
            assert heard["mode"]["task"] is None


def test_two_stages_learn_one_task_after_the_other(exp):
    dump = exp.parent / "dump" / "raw"
    for name, task in (("recognition", "transcribe"), ("translation", "translate")):
        tasks = read_table(dump / f"{name}_train" / "utt2task")
        assert set(tasks.values()) == {task}
        assert len(tasks) == 3
    config = (exp / "seed_7" / "two_stage" / "config.yaml").read_text("utf-8")
    assert "seed_7/recognition/model" in config
    assert "seed: 7" in config


def test_one_table_has_error_rates_and_bleu(exp):
    lines = (exp / "SEEDS.md").read_text("utf-8").splitlines()
    columns = ["es_test (wer)", "es-en_test (bleu)", "trained (wer)", "trained (bleu)"]
    assert lines[0] == f"| system | {' | '.join(columns)} |"
    rows = [line.split("|")[1].strip() for line in lines if line.startswith("| ")]
    assert rows == [
        *("system", "zero_shot", "two_stage", "full_es", "full_es-en"),
        *("soup", "recognition"),
    ]

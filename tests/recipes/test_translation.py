"""The recipe on both tasks: recordings transcribed, and translated into English.

Experts are the base under other names: what is trained is tested elsewhere.
"""

import json

import pytest

from espnet_merge.__main__ import main
from espnet_merge.data.table import read_table
from tests.recipes.test_merge1 import Recipe

OPTIONS = {
    "experts": "es es-en",
    "test_sets": "es_test es-en_test",
    "kinds": "full",
    "joint": "",
    "two_stage": "true",
    "merge_configs": "",
    "seeds": "7",
}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, micro_whisper, warm):
    recipe = Recipe(tmp_path_factory.mktemp("tree"), micro_whisper, warm)
    run(recipe, stop_stage="5")
    seed = recipe.directory / "exp" / "seed_7"
    for name in ("es", "es-en"):
        expert = seed / f"full_{name}"
        expert.mkdir()
        (expert / "model").symlink_to(seed / "base")
        (expert / ".done").write_text(name)
    run(recipe, stage="9", two_stage="false")
    return recipe


def run(recipe, **options):
    done = recipe.run(**{**OPTIONS, **options})
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture
def exp(recipe):
    return recipe.directory / "exp"


def test_each_set_is_scored_by_its_task(exp):
    for system in ("zero_shot", "full_es", "full_es-en"):
        for name, metric, count in (("es_test", "wer", 4), ("es-en_test", "bleu", 2)):
            (path,) = (exp / "seed_7" / system).glob(f"inference_*/{name}/score.json")
            score = json.loads(path.read_text("utf-8"))
            assert (score["main"], score["utterances"]) == (metric, count)


def test_data_of_each_stage_is_of_one_task(exp):
    dump = exp.parent / "dump" / "raw"
    for name, task in (("recognition", "transcribe"), ("translation", "translate")):
        tasks = read_table(dump / f"{name}_train" / "utt2task")
        assert set(tasks.values()) == {task}
        assert len(tasks) == 3


def test_one_table_has_error_rates_and_bleu(exp):
    parts = (exp / "SEEDS.md").read_text("utf-8").split("\n\n")
    scores, heard = (part.splitlines() for part in parts if part.startswith("| "))
    columns = ["es_test (wer)", "es-en_test (bleu)"]
    columns += ["in-domain (wer)", "in-domain (bleu)"]
    # The base is padded, and the experts are not.
    assert scores[0] == f"| system | {' | '.join(columns)} | decoded |"
    assert heard[0] == "| system | es_test | es-en_test | in-domain |"
    for table in (scores, heard):
        rows = [line.split("|")[1].strip() for line in table if line.startswith("| ")]
        assert rows == ["system", "zero_shot", "full_es", "full_es-en"]


def test_the_table_is_made_again_of_what_was_kept(exp, capsys):
    main(["seeds", "--load", str(exp / "results" / "seed_7.json")])
    table = (exp / "SEEDS.md").read_text("utf-8")
    # Where the file is is told in the last line.
    assert capsys.readouterr().out.splitlines()[:-1] == table.splitlines()[:-1]
    assert table.splitlines()[-1].startswith(
        "- `exp/results/seed_7.json`: 3 systems on 2"
    )

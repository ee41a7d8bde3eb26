"""The recipe on three domains of one language, and a set out of domain."""

import json

import pytest
import yaml

from espnet_merge.data.table import read_table
from tests.recipes.data import write_corpus
from tests.recipes.test_merge1 import Recipe

DOMAINS = ["es", "es_news", "es_tv"]
OPTIONS = {
    "experts": " ".join(DOMAINS),
    "test_sets": " ".join(f"{name}_test" for name in [*DOMAINS, "it"]),
    "kinds": "full lora",
    "sequential": "true",
    "merge_configs": "boosted_tsv_m lors",
    "merge_kind": "full lora",
    "decode_configs": "as_trained",
    "max_test_utterances": "2",
    "seeds": "0",
}
MERGES = ["boosted_tsv_m", "lors", "boosted_tsv_m_lora", "lors_lora"]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, micro_whisper, warm):
    place = tmp_path_factory.mktemp("elsewhere")
    write_corpus(place)
    (place / "es_ood_test").rename(place / "es_away_test")
    recipe = Recipe(tmp_path_factory.mktemp("tree"), micro_whisper, warm)
    done = recipe.run(**OPTIONS, ood=str(place / "es_away_test"))
    assert done.returncode == 0, done.stderr[-3000:]
    return recipe


def test_merges_are_of_both_kinds(recipe):
    for name in MERGES:
        kind = "lora" if name.endswith("_lora") else "full"
        model = recipe.directory / "exp" / "seed_0" / name / "model"
        record = yaml.safe_load((model / "merge.yaml").read_text("utf-8"))
        experts = [expert["path"] for expert in record["experts"]]
        assert experts == [f"exp/seed_0/{kind}_{x}/model" for x in DOMAINS]


def test_sequential_training_goes_from_expert_to_expert(recipe):
    exp = recipe.directory / "exp" / "seed_0"
    starts = {}
    for name in ("sequential_es_news", "sequential"):
        config = yaml.safe_load((exp / name / "config.yaml").read_text("utf-8"))
        starts[name] = config["whisper"]
    assert starts == {
        "sequential_es_news": "exp/seed_0/full_es/model",
        "sequential": "exp/seed_0/sequential_es_news/model",
    }
    assert not (exp / "sequential_es_news" / "inference_as_trained").exists()
    assert (exp / "sequential" / "inference_as_trained" / "es_tv_test").is_dir()


def test_test_sets_are_sampled_and_taken_from_elsewhere(recipe):
    dump = recipe.directory / "dump" / "raw"
    for name in (*DOMAINS, "it", "es_away"):
        assert len(read_table(dump / f"{name}_test" / "wav.scp")) == 2
    assert (recipe.directory / "data" / "es_away_test").is_symlink()


def test_the_table_of_all_seeds(recipe):
    text = (recipe.directory / "exp" / "SEEDS.md").read_text("utf-8")
    assert (recipe.directory / "exp" / "SEEDS.png").read_bytes().startswith(b"\x89PNG")
    for system in ("zero_shot", "joint", "sequential", *MERGES):
        assert f"| {system} |" in text.replace("*", "")
    saved = sorted((recipe.directory / "exp" / "results").iterdir())
    assert [path.name for path in saved] == ["seed_0.json"]
    seed = json.loads(saved[0].read_text("utf-8"))
    assert set(MERGES) <= set(json.dumps(seed).replace('"', " ").split())

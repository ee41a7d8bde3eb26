"""The recipe with experts that the user has already; their data are for tests alone."""

import json
import re
import shlex
import shutil

import pytest
import yaml

from tests.formats import write_adapter, write_checkpoint
from tests.recipes.data import write_corpus
from tests.recipes.test_merge1 import ROOT, Recipe

PAGE = (ROOT / "docs" / "bring_your_own.md").read_text("utf-8")
(LINE,) = re.findall(r"^\./run\.sh (.*)$", PAGE, re.MULTILINE)
WORDS = shlex.split(LINE)
SHOWN = {w.removeprefix("--"): x for w, x in zip(WORDS[::2], WORDS[1::2], strict=True)}


def options(own, **more):
    """Return what the page shows, with models that are here."""
    models = f"es={own / 'checkpoint-500'} it={own / 'lora'}"
    given = {name: value for name, value in SHOWN.items() if name != "base"}
    given |= {"expert_models": models, "merge_configs": "soup tsv_m"}
    return given | {"decode_configs": "as_trained"} | more


@pytest.fixture(scope="module")
def own(tmp_path_factory, micro_whisper):
    place = tmp_path_factory.mktemp("own")
    write_checkpoint(place / "checkpoint-500", micro_whisper)
    write_adapter(place / "lora", micro_whisper)
    return place


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, micro_whisper, warm, own):
    recipe = Recipe(tmp_path_factory.mktemp("tree"), micro_whisper, warm)
    # Only test sets are made.
    corpus = tmp_path_factory.mktemp("corpus")
    write_corpus(corpus)
    for name in ("es_test", "it_test"):
        shutil.copytree(corpus / name, recipe.directory / "data" / name)
    (recipe.directory / "local" / "data.sh").write_text("#!/usr/bin/env bash\n")
    recipe.said = recipe.run(**options(own)).stderr
    return recipe


@pytest.fixture(scope="module")
def exp(recipe):
    return recipe.directory / "exp"


def test_all_stages_run_and_nothing_is_trained(recipe, exp):
    assert (exp / "RESULTS.md").is_file(), recipe.said[-3000:]
    assert "checkpoint-500, taken as it is, not trained" in recipe.said
    assert not list(exp.glob("*/train.log"))
    systems = {path.parent.parent.parent.name for path in exp.glob("*/*/*/score.json")}
    assert systems == {"zero_shot", "own_es", "own_it", "soup", "tsv_m"}
    results = (exp / "RESULTS.md").read_text("utf-8")
    for system in systems:
        assert f"| {system} " in results.replace("*", ""), system


def test_model_and_adapter_are_told_by_their_content(exp):
    assert (exp / "own_es" / "model" / "tokenizer.json").is_file()
    assert (exp / "own_it" / "model" / "adapter_config.json").is_file()
    (path,) = (exp / "own_it").glob("inference_*/it_test/text.json")
    mode = json.loads(path.read_text("utf-8"))["mode"]
    assert mode["model"].endswith("exp/base")
    assert mode["adapter"].endswith("exp/own_it/model")
    record = yaml.safe_load((exp / "tsv_m" / "model" / "merge.yaml").read_text())
    experts = [expert["path"] for expert in record["experts"]]
    assert experts == ["exp/own_es/model", "exp/own_it/model"]


def test_an_expert_is_decoded_in_the_mode_that_is_said(recipe, exp, own):
    assert "trained padded to 30 s (as is said, for it has no record)" in recipe.said
    for system in ("own_es", "soup"):
        (path,) = (exp / system).glob("inference_*/es_test/score.json")
        mode = json.loads(path.read_text("utf-8"))["mode"]
        assert (mode["pad_to"], mode["tail"]) == (30, 0)
    done = recipe.run(**options(own, expert_mode="tail", stage="4", stop_stage="4"))
    assert done.returncode == 0, done.stderr[-3000:]
    record = json.loads((exp / "own_it" / "model" / "fetch.json").read_text())
    assert (record["pad_to"], record["tail"]) == (0, 4)


def test_what_does_not_belong_to_the_base_ends_stage_4(recipe, own, tmp_path):
    other = shutil.copytree(own / "checkpoint-500", tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"vocab_size": 7}))
    models = f"es={other} it={own / 'lora'}"
    done = recipe.run(**options(own, expert_models=models, stage="4"))
    assert done.returncode == 2
    (line,) = [x for x in done.stderr.splitlines() if "error: " in x]
    assert f"{other}: has no tokenizer, and a vocabulary of 7 tokens" in line


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"expert_models": "es"}, "--expert_models must be of NAME=MODEL"),
        ({"expert_models": "fr=x"}, "--expert_models must name experts, which are"),
        ({"expert_models": "es=x es=y"}, "must give an expert one model; 'es' has two"),
        ({"expert_models": "es=x", "sequential": "true"}, "--sequential true trains"),
        (
            {"expert_models": "es=x", "expert_mode": "tall"},
            "conf/decode/tall.yaml",
        ),
    ],
)
def test_bad_options(recipe, own, given, message):
    done = recipe.run(**options(own, **given))
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]

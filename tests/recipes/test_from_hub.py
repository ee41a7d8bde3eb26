"""The recipe with a base and experts that are names on the hub: one of our own."""

import json
import shutil

import pytest
import yaml

from espnet_merge.__main__ import main
from tests.formats import write_adapter, write_fine_tuned
from tests.recipes.data import write_corpus
from tests.recipes.test_merge1 import Recipe
from tests.recipes.test_taken import SHOWN
from tests.recipes.warm import warm_commands
from tests.whisper.hub_server import commit_of, serving

BASE, MODEL, ADAPTER = "someone/whisper-ast", "me/whisper-es", "me/lora-it"


@pytest.fixture(scope="module")
def hub(tmp_path_factory, micro_whisper):
    """A base that knows a language more than Whisper, and two experts of it."""
    root = tmp_path_factory.mktemp("hub")
    base = root / BASE
    words = ("--add", "ast", "--like", "es", "--output", str(base))
    main(["language", "--model", str(micro_whisper), *words])
    write_fine_tuned(base, root / f"{MODEL}@old", 1)
    write_fine_tuned(base, root / MODEL, 2)
    write_adapter(root / ADAPTER, base)
    with serving(root) as server, pytest.MonkeyPatch.context() as patch:
        # Read by the hub's client when it is imported, by the commands of the recipe.
        patch.setenv("HF_ENDPOINT", server.address)
        patch.setenv("HF_HUB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield server


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, hub):
    venv = tmp_path_factory.mktemp("venv")
    with warm_commands(venv / "bin"):
        recipe = Recipe(tmp_path_factory.mktemp("tree"), BASE, venv)
        corpus = tmp_path_factory.mktemp("corpus")
        write_corpus(corpus)
        for name in ("es_test", "it_test"):
            shutil.copytree(corpus / name, recipe.directory / "data" / name)
        write_other_language(recipe.directory / "data")
        (recipe.directory / "local" / "data.sh").write_text("#!/usr/bin/env bash\n")
        yield recipe


def write_other_language(data):
    shutil.copytree(data / "es_test", data / "ast_test")
    for file in (data / "ast_test").iterdir():
        text = file.read_text("utf-8").replace("es-", "ast-").replace(" es\n", " ast\n")
        text = text.replace("recordings/ast-", "recordings/es-")
        file.write_text(text, "utf-8")


def options(**more):
    """Return what the page shows, with a base and experts that are on the hub."""
    models = f"es={MODEL}@old it={ADAPTER}"
    given = SHOWN | {"base": BASE, "test_sets": "es_test it_test ast_test"}
    given |= {"expert_models": models, "merge_configs": "soup"}
    return given | {"decode_configs": "as_trained"} | more


def test_all_stages_run_on_what_is_fetched(hub, recipe):
    done = recipe.run(**options())
    assert done.returncode == 0, done.stderr[-3000:]
    exp = recipe.directory / "exp"
    assert "| soup " in (exp / "RESULTS.md").read_text("utf-8").replace("*", "")
    systems = {path.parents[2].name for path in exp.glob("*/*/ast_test/score.json")}
    assert systems == {"zero_shot", "own_es", "own_it", "soup"}
    for name, source, revision in (
        ("base", BASE, "main"),
        ("own_es/model", f"{MODEL}@old", "old"),
        ("own_it/model", ADAPTER, "main"),
    ):
        record = json.loads((exp / name / "fetch.json").read_text())
        commit = commit_of(revision)
        assert (record["source"], record["commit"]) == (source, commit)
    # Others can get them, too: the names and commits stand in the record and the card.
    record = yaml.safe_load((exp / "soup/model/merge.yaml").read_text("utf-8"))
    assert [one["path"] for one in record["experts"]] == [
        "exp/own_es/model",
        "exp/own_it/model",
    ]
    card = (exp / "soup/model/README.md").read_text("utf-8")
    for name in (BASE, MODEL, ADAPTER):
        assert name in card
    # Of each repository one copy of the weights, once.
    assert sorted(name for name in hub.taken if name.endswith("safetensors")) == [
        *("adapter_model.safetensors", "model.safetensors", "model.safetensors")
    ]


def test_a_name_that_is_not_there_ends_stage_4(hub, recipe):
    models = f"es=me/else it={ADAPTER}"
    done = recipe.run(**options(expert_models=models, stop_stage="4", expdir="other"))
    assert done.returncode == 2
    (line,) = [x for x in done.stderr.splitlines() if "error: me/else" in x]
    assert "the hub has no such model" in line

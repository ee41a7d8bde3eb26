"""Names on the hub wherever a model is taken, through the hub's own client."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from huggingface_hub import constants
from safetensors.torch import load_file

import espnet_merge as em
from espnet_merge.__main__ import main
from espnet_merge.errors import InputError
from espnet_merge.options import declared
from tests.formats import write_adapter, write_bin, write_fine_tuned
from tests.recipes.data import write_corpus
from tests.whisper.hub_server import COMMIT, TOKEN, commit_of, publish


@pytest.fixture(scope="module")
def experts(micro_whisper, tmp_path_factory):
    place = tmp_path_factory.mktemp("experts")
    for seed, name in enumerate(("es", "it", "new")):
        write_fine_tuned(micro_whisper, place / name, seed)
    write_old_adapter(place / "lora", micro_whisper)
    return place


@pytest.fixture
def published(hub, micro_whisper, experts, tmp_path, monkeypatch):
    """Base, a fine-tune of 2023, one with two revisions, and an adapter."""
    publish(hub, "openai/whisper-micro", micro_whisper)
    write_bin(experts / "es", hub.root / "someone/whisper-es")
    publish(hub, "someone/whisper-it", experts / "it")
    publish(hub, "someone/whisper-it@new", experts / "new")
    publish(hub, "someone/lora", experts / "lora")
    monkeypatch.chdir(tmp_path)
    return hub


def write_old_adapter(directory, base):
    """Write the weights of an adapter as PEFT wrote them before safetensors."""
    write_adapter(directory, base)
    weights = directory / "adapter_model.safetensors"
    torch.save(load_file(weights), weights.with_suffix(".bin"))
    weights.unlink()


def merge(*experts, output="out", **options):
    return em.merge(
        method="soup",
        base="openai/whisper-micro",
        experts=experts,
        output=output,
        **options,
    )


def refused(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert end.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_merge_of_names_is_the_merge_of_what_they_hold(
    published, micro_whisper, experts
):
    record = merge("someone/whisper-es", "someone/lora", "someone/whisper-it").record
    em.merge(
        method="soup",
        base=micro_whisper,
        experts=[experts / "es", experts / "lora", experts / "it"],
        output="local",
    )
    here, there = (load_file(f"{x}/model.safetensors") for x in ("local", "out"))
    assert all(torch.equal(here[name], there[name]) for name in here)
    assert record["base"]["path"] == f"openai/whisper-micro@{COMMIT}"
    assert [expert["path"] for expert in record["experts"]] == [
        f"someone/whisper-es@{COMMIT}",
        f"someone/lora@{COMMIT}",
        f"someone/whisper-it@{COMMIT}",
    ]


def test_replay_takes_the_commit_of_the_record(published, experts, tmp_path, capsys):
    merge("someone/whisper-it@new", "someone/whisper-es")
    inputs = yaml.safe_load(Path("out/merge.yaml").read_text())["experts"]
    assert inputs[0]["path"] == f"someone/whisper-it@{commit_of('new')}"
    shutil.rmtree(tmp_path / "cache")  # another machine
    main(["replay", "out"])
    assert "same inputs, same bytes" in capsys.readouterr().out
    merge("someone/whisper-it", "someone/whisper-es", output="other")
    one, other = (load_file(f"{x}/model.safetensors") for x in ("out", "other"))
    assert not torch.equal(*(x["model.encoder.conv1.weight"] for x in (one, other)))
    # Nobody need be asked for a commit that is here.
    published.shutdown()
    taken = list(published.taken)
    main(["merge", "--config", "out/merge.yaml", "--output", "again"])
    assert published.taken == taken


def test_names_in_a_file_of_mergekit(published):
    models = [{"model": "someone/whisper-es"}, {"model": "someone/whisper-it@new"}]
    said = {"merge_method": "task_arithmetic", "models": models}
    said |= {"base_model": "openai/whisper-micro", "parameters": {"weight": 0.5}}
    Path("mergekit.yaml").write_text(yaml.safe_dump(said))
    main(["merge", "--config", "mergekit.yaml", "--output", "out"])
    record = yaml.safe_load(Path("out/merge.yaml").read_text())
    assert record["experts"][1]["path"] == f"someone/whisper-it@{commit_of('new')}"


def test_decode_and_inspect(published, tmp_path):
    write_corpus(tmp_path / "data")
    decoded = em.decode(
        model="openai/whisper-micro",
        adapters={"es": "someone/lora"},
        data=["data/es_test"],
        output=["exp/es_test"],
        max_new_tokens=2,
    )
    assert len(decoded.texts) == 2
    inspected = em.inspect(
        base="openai/whisper-micro", experts=["someone/whisper-es", "someone/lora"]
    )
    assert inspected.record["labels"] == [
        f"whisper-es@{COMMIT[:8]}",
        f"lora@{COMMIT[:8]}",
    ]


def test_files_are_enough_to_count_tokens(published, tmp_path):
    write_corpus(tmp_path / "data")
    main(["validate", "--data", "data/es_test", "--model", "openai/whisper-micro"])
    assert "model.safetensors" not in published.taken
    merge("someone/lora", dry_run=True)
    assert "model.safetensors" in published.taken


def test_a_path_that_exists_comes_first(published, experts):
    shutil.copytree(experts / "new", "someone/whisper-it")
    record = merge("someone/whisper-it", "someone/whisper-es").record
    assert record["experts"][0]["path"] == "someone/whisper-it"


def test_what_fetch_took_is_named_in_a_merge(published):
    main(["fetch", "someone/whisper-it@new", "--output", "exp/it"])
    record = merge("exp/it", "someone/whisper-es").record
    commit = commit_of("new")
    assert record["experts"][0]["path"] == "exp/it"
    assert record["experts"][0]["origin"] == f"someone/whisper-it@{commit}"
    assert "origin" not in record["experts"][1]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "exp/base",
            "exp/base: the hub has no such model, or it is private: .* Nor is",
        ),
        ("someone/whisper-it@old", "has the model, and no such revision of it"),
        ("someone/gated", "its owner must let you read it: ask on its page"),
        ("a--b/c", "a--b/c: must be OWNER/NAME"),
        ("exp/full_es/model", "exp/full_es/model: no such checkpoint"),
        ("none.pt", "none.pt: no such checkpoint"),
    ],
)
def test_what_is_not_there(published, micro_whisper, name, told):
    publish(published, "someone/gated", micro_whisper)
    published.gated.add("someone/gated")
    with pytest.raises(InputError, match=told):
        merge(name, "someone/whisper-es")
    assert not Path("out").exists()


def test_offline_is_said_in_one_line(published, monkeypatch, capsys):
    words = ["merge", "--method", "soup", "--base", "openai/whisper-micro"]
    words += ["--experts", "someone/whisper-es", "--output"]
    main([*words, "out"])
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    capsys.readouterr()
    main([*words, "again"])
    first, second, *_ = capsys.readouterr().err.splitlines()
    assert first.startswith(
        "espnet-merge merge: warning: openai/whisper-micro: the hub was not reached ("
    )
    assert second.endswith(f"taking the copy of commit {COMMIT[:12]} that is here.")
    words[6] = "someone/else"
    assert "someone/else: there is no such path, nor a copy of such a model" in refused(
        capsys, *words, "other"
    )


def test_a_part_of_a_copy_is_none(published, tmp_path, monkeypatch):
    main(["validate", "--data", str(corpus(tmp_path)), "--model", "someone/whisper-es"])
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(InputError, match="es: there is no such path, nor a copy"):
        em.inspect(base="someone/whisper-es", experts=["someone/lora"])


def corpus(directory):
    write_corpus(directory / "data")
    return directory / "data" / "es_test"


def test_token_of_the_user(published, monkeypatch, tmp_path):
    published.private.add("someone/whisper-it")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(InputError, match=r"or it is private: .* 'hf auth login'"):
        merge("someone/whisper-it", "someone/whisper-es")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    merge("someone/whisper-it", "someone/whisper-es")


def test_a_download_that_was_cut_goes_on(published, experts, monkeypatch):
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 4096)
    published.cut = 100_000
    merge("someone/whisper-it", "someone/lora")
    (asked,) = published.ranges
    begun = int(asked.removeprefix("bytes=").partition("-")[0])
    assert 90_000 < begun <= 100_000


def test_by_the_address_that_the_environment_gives(published, tmp_path):
    """In a process of its own, which is told of the hub as a user tells it."""
    home = {"HF_ENDPOINT": published.address, "HF_HOME": str(tmp_path / "home")}
    words = ["--method", "soup", "--base", "openai/whisper-micro"]
    words += ["--experts", "someone/whisper-es", "--output"]
    for output, more in (("out", {}), ("again", {"HF_HUB_OFFLINE": "1"})):
        done = subprocess.run(
            [sys.executable, "-m", "espnet_merge", "merge", *words, output],
            env={**os.environ, **home, **more},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        record = Path(output, "merge.yaml").read_text()
        assert f"openai/whisper-micro@{COMMIT}" in record
        said = "the hub was not reached (OfflineModeIsEnabled); taking the copy"
        assert (said in done.stderr) == bool(more)


def test_training_starts_from_a_name(published):
    from argparse import Namespace

    from espnet_merge.tasks.sources import find_models

    args = Namespace(
        whisper="openai/whisper-micro",
        init_adapter="es",
        init_adapters={"es": "someone/lora"},
        mixture_conf={"adapters": ["someone/lora"], "r": 4},
    )
    find_models(args)
    place = args.init_adapters["es"]
    assert place.endswith(f"models--someone--lora/snapshots/{COMMIT}")
    assert (Path(args.whisper) / "model.safetensors").is_file()
    assert args.init_adapter == "es"
    assert args.mixture_conf == {"adapters": [place], "r": 4}


def test_every_option_that_names_a_model_takes_a_name():
    """Routers, which are no models, have directories alone."""
    from importlib import import_module

    from espnet_merge.__main__ import COMMANDS

    named = {"base", "experts", "model", "adapter", "adapters", "fallback"}
    # Names of systems in a directory, and what 'fetch' takes.
    other = {("report", "base"), ("report", "experts"), ("seeds", "base")}
    # Results of this machine, which are written to or published.
    other |= {("align-heads", "model"), ("card", "model"), ("push", "model")}
    for command in COMMANDS:
        name = command.replace("-", "_")
        kind = import_module(f"espnet_merge.bin.{name}").Command
        for name, one in declared(kind).items():
            if name in named and (command, name) not in other:
                assert one.option.find, (command, name)


def test_nothing_is_downloaded_for_what_is_wrong_elsewhere(published):
    with pytest.raises(InputError, match="jobs must be"):
        merge("someone/whisper-es", jobs=0)
    assert published.taken == []

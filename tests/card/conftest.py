"""A merge of two experts whose origins are told, and a hub to publish it on."""

import json
import shutil

import pytest
from huggingface_hub import constants

from espnet_merge.__main__ import main
from tests.bin.test_compare import write_set
from tests.card.upload_server import taking
from tests.formats import write_fine_tuned

COMMIT = "5f0c" * 10
ES_COMMIT = "e5e5" * 10


def fetched(model, name, commit):
    record = {"source": name, "origin": f"hub:{name}", "commit": commit}
    (model / "fetch.json").write_text(json.dumps(record))


def licensed(model, licence):
    (model / "README.md").write_text(f"---\nlicense: {licence}\n---\n# of others\n")


@pytest.fixture
def models(micro_whisper, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = shutil.copytree(micro_whisper, tmp_path / "exp" / "base")
    for seed, name in enumerate(("full_es", "full_it"), 1):
        write_fine_tuned(base, tmp_path / "exp" / name / "model", seed)
    fetched(base, "openai/whisper-tiny", COMMIT)
    fetched(tmp_path / "exp" / "full_es" / "model", "me/whisper-es", ES_COMMIT)
    licensed(tmp_path / "exp" / "full_es" / "model", "mit")
    licensed(tmp_path / "exp" / "full_it" / "model", "apache-2.0")
    return tmp_path / "exp"


def merge(*more):
    main(
        [
            *("merge", "--method", "ties", "--base", "exp/base"),
            *("--experts", "exp/full_es/model", "exp/full_it/model"),
            *("--output", "exp/ties/model", *more),
        ]
    )


@pytest.fixture
def merged(models):
    merge()
    return models / "ties" / "model"


@pytest.fixture
def scored(tmp_path):
    """Spanish got better, Italian much worse."""
    systems = [f"exp/{name}/inference_padded" for name in ("ties", "zero_shot")]
    for name, errors in (("es_test", (5, 20)), ("it_test", (28, 2))):
        ref = write_set(tmp_path, name, dict(zip(systems, errors, strict=True)))
        for system in systems:
            main(["score", "--ref", str(ref), "--hyp", f"{system}/{name}"])
    return ["--scores", systems[0], "--baseline", systems[1]]


@pytest.fixture
def hub(monkeypatch):
    with taking() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        # Its store of chunks speaks a protocol of its own; without it, Git LFS does.
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr("huggingface_hub.hf_api.get_token", lambda: "mine")
        yield server

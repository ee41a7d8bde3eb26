"""Mixed languages in one batch: each as if it were decoded alone, with its adapter."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from espnet_merge.__main__ import main
from espnet_merge.checkpoint.adapter import open_adapter
from espnet_merge.checkpoint.padding import Padding
from espnet_merge.decode.batches import batches, encode_batch
from espnet_merge.decode.router import Router, features
from espnet_merge.decode.utterances import read_utterances
from espnet_merge.lora.adapter import base_digest
from espnet_merge.lora.mixture import add_mixture
from espnet_merge.lora.mixture_conf import MixtureConf
from espnet_merge.lora.stored_mixture import save_mixture
from espnet_merge.whisper.model import load_whisper
from tests.decode.test_search import talkative
from tests.lora.test_routed import write_adapter

MODE = ("--pad-to", "0", "--max-new-tokens", "12", "--beam", "2")
SPOKEN = ("es", "ru", "it", "es", "ru", "it", "es")


@pytest.fixture(scope="module")
def model(micro_whisper, tmp_path_factory) -> Path:
    """A micro Whisper that sometimes predicts the end, so that rows leave a batch."""
    directory = tmp_path_factory.mktemp("model")
    talkative(directory, 1).save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def adapters(model, tmp_path_factory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("adapters")
    confs = {"es": {"r": 2}, "it": {"r": 4}, "ru": {"r": 3, "lora_alpha": 5}}
    return {
        code: write_adapter(model, directory / code, seed, conf)
        for seed, (code, conf) in enumerate(confs.items())
    }


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    wavs, languages = [], []
    for index, code in enumerate(SPOKEN):
        path = directory / f"{index}.wav"
        samples = int(16_000 * random.uniform(0.4, 1.5))
        soundfile.write(path, 0.1 * random.standard_normal(samples), 16_000)
        wavs.append(f"utt-{index} {path}\n")
        languages.append(f"utt-{index} {code}\n")
    (directory / "wav.scp").write_text("".join(wavs))
    (directory / "utt2lang").write_text("".join(languages))
    return directory


def decode(model, data, output, *options) -> dict[str, dict]:
    argv = ["decode", "--model", model, "--data", data, "--output", output]
    main(list(map(str, [*argv, *MODE, *options])))
    return json.loads((output / "text.json").read_text("utf-8"))["utterances"]


def named(adapters, *codes) -> list[str]:
    return ["--adapters", *(f"{code}={adapters[code]}" for code in codes)]


def same(mixed: dict, alone: dict) -> bool:
    """Return whether all is equal, scores within the rounding of float32."""
    assert mixed["score"] == pytest.approx(alone["score"], abs=2e-3)
    keys = mixed.keys() - {"score", "score_per_token", "adapter"}
    return all(mixed[key] == alone[key] for key in keys)


def test_each_as_if_decoded_alone(model, adapters, data, tmp_path, capsys):
    mixed = decode(model, data, tmp_path / "mixed", *named(adapters, "es", "it", "ru"))
    assert [one["adapter"] for one in mixed.values()] == list(SPOKEN)
    printed = capsys.readouterr().err
    assert "utterances by adapter: es 3, it 2, ru 2." in printed
    base = decode(model, data, tmp_path / "base")
    for code, path in adapters.items():
        alone = decode(model, data, tmp_path / code, "--adapter", path)
        own = [
            name for name, spoken in zip(mixed, SPOKEN, strict=True) if spoken == code
        ]
        assert all(same(mixed[name], alone[name]) for name in own)
        assert all(mixed[name]["score"] != base[name]["score"] for name in own)


def test_the_base_decodes_what_has_no_adapter(model, adapters, data, tmp_path):
    options = (*named(adapters, "es", "it"), "--fallback", "none")
    mixed = decode(model, data, tmp_path / "mixed", *options)
    base = decode(model, data, tmp_path / "base")
    others = [name for name, one in mixed.items() if one["adapter"] == "none"]
    assert others == ["utt-1", "utt-4"]
    assert all(same(mixed[name], base[name]) for name in others)


def test_the_route_is_identified(model, adapters, data, tmp_path):
    auto = ("--language", "auto", "--languages", "es,it,ru")
    base = decode(model, data, tmp_path / "base", *auto)
    identified = [one["language"] for one in base.values()]
    probabilities = sorted(one["language_probability"] for one in base.values())
    limit = (probabilities[2] + probabilities[3]) / 2
    options = (*named(adapters, "es", "it", "ru"), "--fallback", "none")
    mixed = decode(
        model, data, tmp_path / "mixed", *options, *auto, "--min-confidence", limit
    )
    assert [one["language"] for one in mixed.values()] == identified
    given = shutil.copytree(data, tmp_path / "given")
    lines = zip(mixed, identified, strict=True)
    (given / "utt2lang").write_text("".join(f"{n} {code}\n" for n, code in lines))
    sure = decode(model, given, tmp_path / "sure", *named(adapters, "es", "it", "ru"))
    for name, one in mixed.items():
        one_sure = one.pop("language_probability") > limit
        base[name].pop("language_probability")
        assert one["adapter"] == (one["language"] if one_sure else "none")
        assert same(one, (sure if one_sure else base)[name])
    assert sum(one["adapter"] == "none" for one in mixed.values()) == 3


def test_what_was_made_otherwise_is_known(model, adapters, data, tmp_path, capsys):
    out = tmp_path / "out"
    options = named(adapters, "es", "it", "ru")
    decode(model, data, out, *options)
    moved = shutil.copytree(adapters["it"], tmp_path / "moved")
    decode(model, data, out, *named({**adapters, "it": moved}, "it", "es", "ru"))
    assert "already decoded" in capsys.readouterr().err
    for other in (
        named({**adapters, "it": adapters["es"]}, "es", "it", "ru"),
        [*options, "--fallback", "es"],
        ["--adapter", adapters["es"]],
        [],
    ):
        with pytest.raises(SystemExit):
            decode(model, data, out, *other)
        assert "made otherwise" in capsys.readouterr().err
    for bad, rule in [
        ([*options, "--adapter", adapters["es"]], "exclude each other"),
        (["--fallback", "none"], "need --adapters"),
        (["--router", "exp/router"], "need --adapters"),
        (named(adapters, "es", "it"), "1 (ru) have none"),
    ]:
        with pytest.raises(SystemExit):
            decode(model, data, tmp_path / "bad", *bad)
        assert rule in capsys.readouterr().err
        assert not (tmp_path / "bad").exists()


@pytest.fixture(scope="module")
def mixture(model, adapters, tmp_path_factory) -> Path:
    experts = [open_adapter(path) for path in adapters.values()]
    conf = MixtureConf(r=2, gate="utterance")
    directory = tmp_path_factory.mktemp("mixture")
    save_mixture(add_mixture(load_whisper(model), experts, conf), directory)
    return directory


def test_a_mixture_goes_where_an_adapter_goes(model, mixture, data, tmp_path, capsys):
    mixed = ("--adapter", mixture)
    together = decode(model, data, tmp_path / "together", *mixed)
    alone = decode(model, data, tmp_path / "alone", *mixed, "--batch-size", "1")
    base = decode(model, data, tmp_path / "base")
    for name, one in together.items():
        assert same(one, alone[name])
        assert one["score"] != base[name]["score"]
    with pytest.raises(SystemExit):
        decode(model, data, tmp_path / "bad", *mixed, "--backend", "ctranslate2")
    assert "cannot be folded into the weights" in capsys.readouterr().err
    assert not (tmp_path / "bad").exists()


def test_a_mixture_may_be_one_of_many(model, adapters, mixture, data, tmp_path):
    """Its utterances are decoded apart, and stand where they belong."""
    ours = {"es": adapters["es"], "it": mixture}
    options = (*named(ours, "it", "es"), "--fallback", "none")
    together = decode(model, data, tmp_path / "together", *options)
    alone = {
        code: decode(model, data, tmp_path / code, "--adapter", path)
        for code, path in ours.items()
    }
    alone["none"] = decode(model, data, tmp_path / "none")
    routes = ["none" if code == "ru" else code for code in SPOKEN]
    assert [one["adapter"] for one in together.values()] == routes
    for name, one in together.items():
        assert same(one, alone[one["adapter"]][name])


@pytest.fixture(scope="module")
def router(model, data, tmp_path_factory) -> Path:
    """A router that calls three of the utterances "loud" and four "soft"."""
    whisper = load_whisper(model)
    (batch,) = batches(read_utterances(data), 8)
    with torch.inference_mode():
        means = features(encode_batch(whisper, batch, 0.0, 0.5))
    weight = np.stack([means[0] - means[-1], 0 * means[0]])
    scores = sorted(means @ weight[0])
    bias = np.array([-(scores[3] + scores[4]) / 2, 0], np.float32)
    directory = tmp_path_factory.mktemp("router")
    names, digest = ("loud", "soft"), base_digest(whisper)
    Router(names, weight, bias, Padding(0.0, 0.5), digest).save(directory, {})
    return directory


def test_a_router_chooses_by_what_it_hears(
    model, adapters, router, data, tmp_path, capsys
):
    """Whatever the language is, which stays that of the prompt."""
    ours = {"loud": adapters["es"], "soft": adapters["ru"]}
    options = (*named(ours, "soft", "loud"), "--router", router)
    mixed = decode(model, data, tmp_path / "mixed", *options)
    chosen = [one["adapter"] for one in mixed.values()]
    assert sorted(chosen) == ["loud"] * 3 + ["soft"] * 4
    assert [one["language"] for one in mixed.values()] == list(SPOKEN)
    alone = {
        name: decode(model, data, tmp_path / name, "--adapter", path)
        for name, path in ours.items()
    }
    for name, one in mixed.items():
        assert same(one, alone[one["adapter"]][name])
    unsure = ("--min-confidence", "1", "--fallback", "none")
    doubtful = decode(model, data, tmp_path / "doubtful", *options, *unsure)
    assert "none" in {one["adapter"] for one in doubtful.values()}
    capsys.readouterr()
    moved = shutil.copytree(router, tmp_path / "moved")
    decode(model, data, tmp_path / "mixed", *options[:-1], moved)
    assert "already decoded" in capsys.readouterr().err
    record = json.loads((moved / "router.json").read_text("utf-8"))
    changed = json.dumps({**record, "names": ["soft", "loud"]})
    (moved / "router.json").write_text(changed, "utf-8")
    with pytest.raises(SystemExit):
        decode(model, data, tmp_path / "mixed", *options[:-1], moved)
    assert "router_sha256" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "more", "rule"),
    [
        (["loud", "es"], (), "must have names of "),
        (["loud"], (), "each name must have one of --adapters; 1 (soft)"),
        (["loud", "soft"], ("--min-confidence", "0.5"), "min_confidence needs"),
    ],
)
def test_names_that_do_not_go_with_a_router(
    model, adapters, router, data, tmp_path, capsys, names, more, rule
):
    ours = dict.fromkeys(names, adapters["es"])
    options = (*named(ours, *names), "--router", router, *more)
    with pytest.raises(SystemExit):
        decode(model, data, tmp_path / "bad", *options)
    assert rule in capsys.readouterr().err
    assert not (tmp_path / "bad").exists()


def test_a_router_of_another_base(model, adapters, router, data, tmp_path, capsys):
    other = shutil.copytree(router, tmp_path / "other")
    record = json.loads((other / "router.json").read_text("utf-8"))
    (other / "router.json").write_text(json.dumps({**record, "base_sha256": "0"}))
    ours = {"loud": adapters["es"], "soft": adapters["ru"]}
    options = (*named(ours, "loud", "soft"), "--router", other)
    with pytest.raises(SystemExit):
        decode(model, data, tmp_path / "bad", *options)
    said = capsys.readouterr().err
    assert f"{other}: must be used on the base it was trained on" in said

"""Mixed languages in one batch: each as if it were decoded alone, with its adapter."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet_merge.__main__ import main
from espnet_merge.checkpoint.adapter import open_adapter
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
        (named(adapters, "es", "it"), "1 (ru) have none"),
    ]:
        with pytest.raises(SystemExit):
            decode(model, data, tmp_path / "bad", *bad)
        assert rule in capsys.readouterr().err
        assert not (tmp_path / "bad").exists()


def test_a_mixture_goes_where_an_adapter_goes(model, adapters, data, tmp_path, capsys):
    experts = [open_adapter(path) for path in adapters.values()]
    conf = MixtureConf(r=2, gate="utterance")
    mixture = add_mixture(load_whisper(model), experts, conf)
    (tmp_path / "mixture").mkdir()
    save_mixture(mixture, tmp_path / "mixture")
    mixed = ("--adapter", tmp_path / "mixture")
    together = decode(model, data, tmp_path / "together", *mixed)
    alone = decode(model, data, tmp_path / "alone", *mixed, "--batch-size", "1")
    base = decode(model, data, tmp_path / "base")
    for name, one in together.items():
        assert same(one, alone[name])
        assert one["score"] != base[name]["score"]
    for options, rule in [
        ((*mixed, "--backend", "ctranslate2"), "cannot be folded into the weights"),
        (("--adapters", f"es={tmp_path / 'mixture'}"), "needs adapter_config.json"),
    ]:
        with pytest.raises(SystemExit):
            decode(model, data, tmp_path / "bad", *options)
        assert rule in capsys.readouterr().err
        assert not (tmp_path / "bad").exists()

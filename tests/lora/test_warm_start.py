"""A warm start computes what the trained adapter does, or is refused."""

import json
import shutil

import pytest
import torch
from peft import PeftModel

from espnet_merge.errors import InputError
from espnet_merge.lora.adapter import (
    add_adapter,
    base_digest,
    load_adapter,
    save_adapter,
)
from espnet_merge.lora.warm_start import ranking, warm_start
from espnet_merge.whisper.model import load_whisper
from tests.micro import write_micro_whisper

CONF = {"r": 4, "lora_alpha": 8}
INPUTS = {
    "input_features": torch.randn(2, 80, 3000, generator=torch.manual_seed(0)),
    "decoder_input_ids": torch.tensor([[257, 261, 359, 363], [257, 300, 359, 80]]),
}


def fresh(whisper, **conf) -> PeftModel:
    return add_adapter(load_whisper(whisper), {**CONF, **conf}, max_trainable_share=0.6)


def trained(whisper, directory, **conf):
    """Write an adapter whose every tensor has moved."""
    directory.mkdir()
    model = fresh(whisper, **conf)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                size = 0.2 if "lora_" in name else 0.0
                parameter += size * torch.randn_like(parameter)
    save_adapter(model, directory)
    return directory


@pytest.fixture(scope="module")
def source(micro_whisper, tmp_path_factory):
    return trained(micro_whisper, tmp_path_factory.mktemp("source") / "model")


@torch.no_grad()
def scores(model) -> torch.Tensor:
    return model.eval()(**INPUTS).logits


def expected(whisper, directory) -> torch.Tensor:
    return scores(load_adapter(load_whisper(whisper), directory))


@pytest.mark.parametrize(
    "conf", [{}, {"use_rslora": True}, {"use_dora": True}], ids=str
)
def test_equal_rank_and_alpha_start_bit_for_bit(micro_whisper, tmp_path, conf):
    directory = trained(micro_whisper, tmp_path / "model", **conf)
    model = fresh(micro_whisper, **conf)
    before = {n for n, p in model.named_parameters() if p.requires_grad}
    assert not torch.equal(scores(model), expected(micro_whisper, directory))
    warm_start(model, directory)
    assert torch.equal(scores(model), expected(micro_whisper, directory))
    # Nothing of the source stays, and what was trainable is.
    assert {n for n, p in model.named_parameters() if p.requires_grad} == before
    assert not any("source" in name for name, _ in model.named_parameters())
    assert list(model.peft_config) == ["default"]
    assert model.active_adapters == ["default"]


@pytest.mark.parametrize(
    "conf",
    [
        {"r": 6},
        {"lora_alpha": 3},
        {"r": 8, "lora_alpha": 5},
        {"r": 5, "use_rslora": True},
        {"rank_pattern": {"fc1": 7}, "alpha_pattern": {"fc1": 2, "q_proj": 1}},
    ],
    ids=str,
)
def test_another_scale_is_the_same_function(micro_whisper, source, conf):
    model = fresh(micro_whisper, **conf)
    warm_start(model, source)
    torch.testing.assert_close(
        scores(model), expected(micro_whisper, source), rtol=0, atol=1e-6
    )


def test_a_padded_rank_learns(micro_whisper, source):
    """New rows of A are as LoRA begins, so that the new columns of B get gradients."""
    model = fresh(micro_whisper, r=6)
    warm_start(model, source)
    model(**INPUTS).logits.square().mean().backward()
    for name, parameter in model.named_parameters():
        if "lora_A" in name:
            assert parameter[4:].abs().amin(dim=0).sum() > 0
        if "lora_B" in name:
            assert not parameter[:, 4:].any()
            assert parameter.grad[:, 4:].any(dim=0).all()


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"r": 3}, "at least the trained adapter's rank, 4; got 3"),
        ({"target_modules": ["q_proj", "fc1"]}, "target_modules and kind"),
        ({"use_dora": True}, "target_modules and kind"),
    ],
    ids=str,
)
def test_what_cannot_be_exact_is_refused(micro_whisper, source, conf, message):
    with pytest.raises(InputError, match=message):
        warm_start(fresh(micro_whisper, **conf), source)


def test_another_base_is_refused(tmp_path, source):
    other = write_micro_whisper(tmp_path / "other", seed=1)
    with pytest.raises(InputError, match="the base it was trained on"):
        warm_start(fresh(other), source)


def test_an_adapter_that_moves_its_base_is_refused(micro_whisper, source, tmp_path):
    directory = shutil.copytree(source, tmp_path / "model")
    path = directory / "adapter_config.json"
    config = {**json.loads(path.read_text()), "init_lora_weights": "pissa"}
    path.write_text(json.dumps(config))
    model = fresh(micro_whisper)
    before = base_digest(model.get_base_model())
    with pytest.raises(InputError, match="init_lora_weights is pissa"):
        warm_start(model, directory)
    assert base_digest(model.get_base_model()) == before


def test_no_adapter(micro_whisper, tmp_path):
    with pytest.raises(InputError, match=r"needs adapter_config.json"):
        warm_start(fresh(micro_whisper), tmp_path)


@pytest.fixture
def similarity(micro_whisper, tmp_path):
    path = tmp_path / "similarity.json"
    digest = base_digest(load_whisper(micro_whisper))
    rows = {"cs": {"es": 0.1, "it": 0.3, "ru": 0.6}}
    path.write_text(json.dumps({"base_sha256": digest, "similarity": rows}))
    return path


def test_the_most_similar_trained_language(micro_whisper, similarity):
    base = load_whisper(micro_whisper)
    assert ranking("cs", ["es", "it", "ru"], similarity, base)[0].language == "ru"
    nearest = ranking("cs", ["es", "it"], similarity, base)[0]
    assert nearest == ("it", pytest.approx(0.75))
    # The digest is of the base alone, with an adapter on it or not.
    add_adapter(base, CONF, max_trainable_share=0.6)
    assert ranking("cs", ["es"], similarity, base)[0].language == "es"


def test_a_similarity_that_does_not_fit(micro_whisper, similarity, tmp_path):
    base = load_whisper(micro_whisper)
    with pytest.raises(InputError, match="must have a row of nl; it has cs"):
        ranking("nl", ["es"], similarity, base)
    with pytest.raises(InputError, match="it is not of fr"):
        ranking("cs", ["es", "fr"], similarity, base)
    other = load_whisper(write_micro_whisper(tmp_path / "other", seed=1))
    with pytest.raises(InputError, match="measured with the base that is trained"):
        ranking("cs", ["es"], similarity, other)

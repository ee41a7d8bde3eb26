"""Every name of openai-whisper, and back."""

import json

import pytest

from espnet_merge.checkpoint.espnet import open_espnet
from espnet_merge.checkpoint.names import (
    ESPNET_TASK,
    ESPNET_WHISPER,
    OPENAI,
    PLAIN,
    espnet_naming,
)
from espnet_merge.checkpoint.safetensors import Entry
from espnet_merge.errors import InputError
from tests.checkpoint.build import OPENAI_NAMES


@pytest.mark.parametrize("naming", [OPENAI, ESPNET_WHISPER])
@pytest.mark.parametrize(("theirs", "ours"), OPENAI_NAMES.items())
def test_names_of_openai_and_of_espnets_whisper(naming, theirs, ours):
    if naming is ESPNET_WHISPER:
        side, rest = theirs.split(".", 1)
        theirs = f"{side}.{side}s.{rest}"
    assert naming.read(theirs) == ours
    assert naming.write(ours) == theirs


def test_openai_has_no_place_for_more():
    for name in ("proj_out.weight", "ctc.ctc_lo.bias"):
        with pytest.raises(InputError, match=f"tensor {name}: OpenAI's Whisper has no"):
            OPENAI.write(name)


def test_espnets_models_are_told_by_their_names():
    assert espnet_naming({"network.model.a", "network.proj_out.weight"}) is ESPNET_TASK
    conformer = {"encoder.encoders.0.self_attn.linear_q.weight", "ctc.ctc_lo.bias"}
    assert espnet_naming(conformer) is PLAIN
    whisper = {"encoder.encoders.blocks.0.attn.query.weight", "ctc.ctc_lo.bias"}
    assert espnet_naming(whisper) is ESPNET_WHISPER


def test_espnets_whisper_is_named_by_size(tmp_path):
    conf = {"encoder_conf": {"whisper_model": "large-v2"}}
    conf["decoder_conf"] = {"whisper_model": "base.en"}
    (tmp_path / "config.yaml").write_text(json.dumps(conf))
    name = "encoder.encoders.blocks.0.attn.query.weight"
    content = {name: Entry("F32", (1,), tmp_path, 0)}
    config = open_espnet(tmp_path / "1epoch.pth", content).config
    assert config["encoder_attention_heads"] == 20
    assert config["decoder_attention_heads"] == 8

"""Models of which transformers takes the options of generation for invalid."""

import json
import shutil

import pytest
from transformers import GenerationConfig

from espnet_merge.errors import InputWarning
from espnet_merge.whisper.fetch import fetch
from espnet_merge.whisper.generation import mended_generation

INVALID = {
    "saved never": {"temperature": 0.7, "do_sample": False},
    "beams": {"early_stopping": True, "num_beams": 1},
    "loaded never": {"num_return_sequences": 3, "num_beams": 1},
}


@pytest.mark.parametrize("kind", INVALID)
def test_an_invalid_file_keeps_what_is_of_the_model(micro_whisper, tmp_path, kind):
    model = shutil.copytree(micro_whisper, tmp_path / "model")
    file = model / "generation_config.json"
    said = json.loads(file.read_text()) | {"suppress_tokens": [1, 2]}
    file.write_text(json.dumps(said | INVALID[kind]))
    with pytest.warns(InputWarning, match="transformers calls it invalid"):
        fetch(str(model), tmp_path / "out", tmp_path)
    kept = GenerationConfig.from_pretrained(tmp_path / "out")
    assert kept.suppress_tokens[:2] == [1, 2]
    kept.validate(strict=True)


def test_a_valid_file_stays_as_it_is(micro_whisper, tmp_path):
    assert mended_generation(micro_whisper) is None
    assert mended_generation(tmp_path) is None

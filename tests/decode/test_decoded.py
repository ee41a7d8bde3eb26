"""Hypotheses of several directories, read in Python."""

import json

import pytest

from espnet_merge.decode.decoded import Decoded
from espnet_merge.errors import InputError


def test_names_that_two_directories_share_are_refused_not_joined(tmp_path):
    for name, utterance in (("es", "u0"), ("it", "u1"), ("ru", "u0")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "text").write_text(f"{utterance} {name}\n")
        content = {"utterances": {utterance: {"text": name}}}
        (tmp_path / name / "text.json").write_text(json.dumps(content))
    found = Decoded((tmp_path / "es", tmp_path / "it"))
    assert found.texts == {"u0": "es", "u1": "it"}
    assert found.records == {"u0": {"text": "es"}, "u1": {"text": "it"}}
    found = Decoded((tmp_path / "es", tmp_path / "ru"))
    for read in (lambda: found.texts, lambda: found.records):
        with pytest.raises(InputError, match="two have an utterance of one name"):
            read()

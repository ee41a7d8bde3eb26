"""What a --config of a merge may hold."""

import pytest

from espnet_merge.errors import InputError
from espnet_merge.merging.config import read_config, with_config


def test_what_is_given_stands_over_the_file(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("method: ties\nparams: {scale: 2, density: 0.5}\ndtype: float16\n")
    given = {"config": file, "method": "TIES", "params": {"scale": 3}, "base": None}
    assert with_config(given) == {
        "config": file,
        "method": "TIES",
        "params": {"scale": 3, "density": 0.5},
        "dtype": "float16",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method: ties\nexpert: [e1]\n", "no setting is called 'expert'; did you mean"),
        ("method: ties\nversions: {}\n", "is no whole record of a merge"),
        ("method: [ties]\n", "must hold 'method: NAME'"),
        ("- ties\n", "must hold 'method: NAME'"),
    ],
)
def test_another_form_is_refused(tmp_path, text, message):
    file = tmp_path / "c.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        read_config(file)

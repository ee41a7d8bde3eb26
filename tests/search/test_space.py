"""What a search may try, as files say it."""

from pathlib import Path

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods import ByTensor, TensorInfo, build_method
from espnet_merge.search.space import Choices, Range, Space, read_space

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "conf" / "search").glob("*.yaml"))


def read(tmp_path, text, experts=3, **fixed):
    file = tmp_path / "space.yaml"
    file.write_text(text)
    return read_space(file, experts, fixed)


def test_every_open_value_has_a_name(tmp_path):
    space = read(
        tmp_path,
        """
        method: ties
        params:
          density: {low: 0.1, high: 1, log: true, first: 1/n}
          consensus: {choices: [mean, sum]}
          trim: tensor
          scale: {'encoder\\.': {low: 1, high: 2}, default: 0.5}
          weights: {each: {low: 0, high: 1}}
        """,
        experts=2,
    )
    assert list(space.open) == [
        "density",
        "consensus",
        "scale[encoder\\.]",
        "weights[1]",
        "weights[2]",
    ]
    assert space.open["consensus"] == Choices(choices=["mean", "sum"])
    assert space.first == {"density": 0.5}
    assert space.filled(lambda name, _: name) == {
        "density": "density",
        "consensus": "consensus",
        "trim": "tensor",
        "scale": {"encoder\\.": "scale[encoder\\.]", "default": 0.5},
        "weights": ["weights[1]", "weights[2]"],
    }


def test_whole_numbers_are_drawn_where_the_method_takes_no_others(tmp_path):
    text = "{method: lors, params: {rank: {low: 1, high: 9}, scale: {low: 1, high: 9}}}"
    space = read(tmp_path, text)
    assert space.open["rank"] == Range(low=1, high=9, whole=True)
    assert not space.open["scale"].whole


def test_what_is_set_stands_over_the_file(tmp_path):
    opened = "density: {low: 0.1, high: 1}, scale: {low: 1, high: 2}"
    space = read(tmp_path, f"{{method: ties, params: {{{opened}}}}}", scale=3)
    assert (list(space.open), space.params["scale"]) == (["density"], 3)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ("{scale: {low: 2, high: 1}}", "scale: low must be below high; got 2 and 1"),
        ("{scale: {low: 1}}", "a range needs low and high"),
        ("{scale: {low: 0, high: 1, log: true}}", "log needs a low above 0"),
        ("{scale: {low: 1, high: 2, steps: 1}}", "did you mean step?"),
        ("{scale: {low: 1, high: 2, first: 3}}", "first must be from low to high"),
        ("{scale: {low: one, high: 2}}", "low must be a number; got 'one'"),
        ("{density: {low: 0.1, high: 2}}", "density must lie in (0, 1], got 2"),
        ("{consensus: {choices: [mean, best]}}", "consensus must be one of mean, sum"),
        ("{consensus: {choices: [mean]}}", "two words or numbers"),
        ("{weights: {choices: [[1], [2]]}}", "two words or numbers"),
        ("{consensus: {choices: [mean, sum], first: best}}", "one of the choices"),
        ("{rang: {low: 1, high: 2}}", "unknown parameter of ties 'rang'"),
        ("{scale: 1}", "nothing is open"),
    ],
)
def test_bad_spaces_are_told_in_a_line(tmp_path, params, said):
    with pytest.raises(InputError) as error:
        read(tmp_path, f"{{method: ties, params: {params}}}")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_the_first_trial_of_a_shipped_space_is_the_default(file):
    space = read_space(file, 3, {})
    step = space.params.get("calibrate")
    assert file.stem == (f"{space.method}_{step}" if step else space.method)
    default = build_method(space.method, {"calibrate": step} if step else {})
    assert space.open.keys() == space.first.keys()
    first = build_method(space.method, space.filled(lambda _, one: one.first))
    deltas = np.random.default_rng(0).normal(size=(3, 8, 8))
    for name in ("encoder.layers.0.fc1.weight", "decoder.embed.weight", "decoder.x"):
        info = TensorInfo(name=name, shape=(8, 8), cache=None)
        own = first.at(name) if isinstance(first, ByTensor) else first
        merged = default(deltas, info)
        np.testing.assert_allclose(own(deltas, info), merged, atol=1e-12)


def test_names_of_nested_values_are_distinct():
    one = Range(low=0, high=1)
    space = Space("soup", {"weights": {"a": [one, one], "b": [one]}})
    assert list(space.open) == ["weights[a][1]", "weights[a][2]", "weights[b][1]"]


@pytest.mark.parametrize("name", ["encoder_decoder", "support_language"])
def test_the_page_shows_the_examples_as_they_are(name):
    file = ROOT / "conf" / "search" / "examples" / f"{name}.yaml"
    lines = file.read_text("utf-8").splitlines(keepends=True)
    shown = "".join(line for line in lines if not line.startswith("#"))
    assert f"```yaml\n{shown}```" in (ROOT / "docs" / "search.md").read_text("utf-8")
    assert read_space(file, 2, {}).open

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_merge.errors import InputError
from espnet_merge.lora.heat_map import draw
from espnet_merge.lora.similarity import mean_posterior, ranked, read_similarity


@given(st.lists(st.integers(1, 7), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_the_mean_does_not_depend_on_the_batches(sizes, seed):
    rows = np.random.default_rng(seed).dirichlet([1.0, 0.2, 3.0], sum(sizes))
    batches = np.split(rows.astype(np.float32), np.cumsum(sizes)[:-1])
    mean = mean_posterior(iter(batches))
    np.testing.assert_allclose(mean, rows.mean(axis=0), atol=1e-7)
    assert mean.sum() == pytest.approx(1, abs=1e-6)


def test_the_most_similar_is_of_the_trained():
    row = {"cs": 0.9, "es": 0.01, "it": 0.03, "ru": 0.06}
    assert ranked(row, ["es", "it", "ru"]) == [
        ("ru", pytest.approx(0.6)),
        ("it", pytest.approx(0.3)),
        ("es", pytest.approx(0.1)),
    ]
    assert ranked(row, ["es", "it"])[0] == ("it", pytest.approx(0.75))
    equals = ranked({"ru": 0.5, "es": 0.5}, ["ru", "es"])
    assert [nearest.language for nearest in equals] == ["es", "ru"]


def test_a_language_that_was_not_measured():
    with pytest.raises(InputError, match=r"not of fr, nl: run .* es,fr,nl"):
        ranked({"es": 1.0}, ["nl", "es", "fr"])
    with pytest.raises(InputError, match="needs some to choose from"):
        ranked({"es": 1.0}, [])


@pytest.mark.parametrize(
    "content", [None, "[1]", "{}", '{"similarity": {"es": 1}}', "no json"]
)
def test_what_is_no_similarity_is_refused(tmp_path, content):
    path = tmp_path / "similarity.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=r"must be the similarity\.json"):
        read_similarity(path)


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "similarity.json"
    content = {"base_sha256": "abc", "similarity": {"cs": {"es": 0.25, "ru": 0.75}}}
    path.write_text(json.dumps({**content, "model": "exp/base"}))
    assert read_similarity(path) == content


def test_every_number_is_in_the_picture():
    figure = draw({"cs": {"es": 0.25, "ru": 0.75}, "nl": {"es": 1.0, "ru": 0.0}})
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["25.0", "75.0", "100.0", "0.0"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cs", "nl"]
    shades = axes.images[0].to_rgba(axes.images[0].get_array())[..., :3].sum(axis=-1)
    # The more, the darker; nothing at all is the lightest.
    assert shades[1, 0] < shades[0, 1] < shades[0, 0] < shades[1, 1]

"""Word boundaries, against transformers' own path and by hand."""

import numpy as np
import pytest
from transformers.models.whisper.generation_whisper import (
    _dynamic_time_warping,
    _median_filter,
)

from espnet_merge.alignment.attention import filtered
from espnet_merge.alignment.words import (
    Word,
    boundaries,
    errors,
    last_tokens,
    read_ctm,
    row_begins,
    summary,
)
from espnet_merge.errors import InputError
from espnet_merge.whisper.prompt import load_tokenizer


@pytest.mark.parametrize("shape", [(1, 5), (3, 3), (7, 40), (12, 9)])
def test_rows_begin_where_transformers_says(shape):
    matrix = np.random.default_rng(0).normal(size=shape)
    rows, positions = _dynamic_time_warping(-matrix)
    jumps = np.pad(np.diff(rows), (1, 0), constant_values=1).astype(bool)
    assert row_begins(matrix).tolist() == positions[jumps].tolist()


@pytest.mark.parametrize("positions", [3, 4, 60])
def test_maps_are_filtered_as_by_transformers(positions):
    import torch

    weights = np.random.default_rng(1).random((4, 6, positions), dtype=np.float32)
    theirs = torch.from_numpy(weights)[None]
    std, mean = torch.std_mean(theirs, dim=-2, keepdim=True, unbiased=False)
    expected = _median_filter((theirs - mean) / std, 7)[0].numpy()
    np.testing.assert_allclose(filtered(weights, 7), expected, atol=1e-5)


def test_boundaries_and_errors_by_hand():
    # Rows before "a", after "a" (2 tokens: the first ends no word), after "b".
    matrix = np.zeros((4, 40))
    for row, (start, stop) in enumerate([(0, 5), (5, 10), (10, 30), (30, 40)]):
        matrix[row, start:stop] = 1
    ends = boundaries(matrix, [1, 2])
    assert ends.tolist() == [0.2, 0.6]
    words = [Word("a", 0.1, 0.25), Word("b", 0.3, 0.5)]
    # Ends 0.05 and 0.1 off, the second start 0.1; the first start is never heard.
    np.testing.assert_allclose(errors(ends, words), [0.05, 0.1, 0.1])
    told = summary(errors(ends, words))
    assert told["median"] == pytest.approx(100)
    assert told["within 50 ms"] == pytest.approx(100 / 3)
    assert told["within 200 ms"] == 100


def test_a_word_begins_with_a_space(micro_whisper):
    tokenizer = load_tokenizer(micro_whisper)
    ids = tokenizer(" it is, so", add_special_tokens=False).input_ids
    assert len(ids) == len(" it is, so")  # of bytes
    assert last_tokens(tokenizer, ids) == [2, 6, 9]


def test_ctm_in_the_order_of_time(tmp_path):
    ctm = tmp_path / "a.ctm"
    ctm.write_text(";; told\nu1 1 0.5 0.25 b 0.9\nu1 1 0.1 0.2 a\n\nu2 A 0 1 c\n")
    assert read_ctm(ctm)["u1"] == [Word("a", 0.1, 0.1 + 0.2), Word("b", 0.5, 0.75)]
    assert [word.text for word in read_ctm(ctm)["u2"]] == ["c"]


@pytest.mark.parametrize("line", ["u1 1 0.5 b", "u1 1 x 0.1 b"])
def test_a_broken_line_is_told(tmp_path, line):
    ctm = tmp_path / "a.ctm"
    ctm.write_text(f"u1 1 0 0.1 a\n{line}\n")
    with pytest.raises(InputError, match="line 2 must be UTTERANCE CHANNEL START"):
        read_ctm(ctm)
    with pytest.raises(InputError, match="a CTM file is needed"):
        read_ctm(tmp_path / "none")

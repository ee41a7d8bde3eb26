"""Directions of tasks side by side, of matrices too large to be held."""

from dataclasses import replace

import numpy as np
import pytest

from espnet_merge.methods import TensorInfo
from espnet_merge.methods.boosted_tsv_m import BoostedTsvM
from espnet_merge.methods.tsv_m import TsvM
from tests.methods._arrays import assert_close, stacks


@pytest.mark.parametrize("stack", stacks(2, 2))
@pytest.mark.parametrize("method", [TsvM, BoostedTsvM])
def test_rows_in_chunks_give_what_the_whole_gives(stack, method, monkeypatch):
    monkeypatch.setattr("espnet_merge.methods._align.LARGE", 999)
    deltas = stacks(100, 12)[stack]
    method = method(spectral="all_2d", scale=0.7)
    info = TensorInfo(name="embed_tokens.weight", role="embedding", shape=(100, 12))
    assert method.scope == "tensor"
    assert not method.is_matrix(info)
    chunks = [
        (
            replace(info, start=12 * start),
            [delta[start : start + 30].ravel() for delta in deltas],
        )
        for start in range(0, 100, 30)
    ]
    elementwise = method.statistics_pass(chunks)
    merged = np.concatenate([elementwise(tensors, at) for at, tensors in chunks])
    assert_close(merged.reshape(100, 12), method(deltas, info))

"""Utterances of steps: each comes before any comes again, and the seed decides."""

from itertools import islice
from pathlib import Path

import pytest

from espnet_merge.decode.settings import Settings
from espnet_merge.decode.torch_backend import TorchBackend
from espnet_merge.search.examples import drawn, with_own_texts, with_references
from espnet_merge.whisper.model import load_whisper
from espnet_merge.whisper.prompt import load_tokenizer
from tests.speech import write_data


def test_each_comes_before_any_comes_again():
    sets = {Path("a"): list(range(5)), Path("b"): list(range(10, 12))}
    steps = [*islice(drawn(sets, 2, seed=0), 6)]
    ones, others = zip(*steps, strict=True)
    assert [len(part) for part in ones] == [2, 2, 1, 2, 2, 1]
    for rows, items in (
        (ones[:3], range(5)),
        (ones[3:], range(5)),
        (others[:1], (10, 11)),
    ):
        assert sorted(x for part in rows for x in part) == list(items)
    assert steps == [*islice(drawn(sets, 2, seed=0), 6)]
    assert steps != [*islice(drawn(sets, 2, seed=1), 6)]


@pytest.mark.parametrize("pad_to", [0.0, 30.0])
def test_own_texts_are_learnt_as_references_would_be(micro_whisper, tmp_path, pad_to):
    data = write_data(tmp_path / "dev", languages=("es", "it"), count=3)
    settings = Settings(pad_to=pad_to, max_new_tokens=5)
    tokenizer = load_tokenizer(micro_whisper)
    backend = TorchBackend(load_whisper(micro_whisper), tokenizer, settings)
    own = with_own_texts([data], backend)[data]
    texts = {target.utterance.name: "" for target in own}
    for target in own:
        ids = target.ids[target.prompt : -1]
        texts[target.utterance.name] = tokenizer.decode(ids).strip()
    lines = "".join(f"{name} {text or '-'}\n" for name, text in texts.items())
    (data / "text").write_text(lines, "utf-8")
    labelled = with_references([data], tokenizer, micro_whisper, settings)[data]
    for one, other in zip(own, labelled, strict=True):
        assert (one.utterance, one.prompt) == (other.utterance, other.prompt)
        assert one.ids == other.ids or not texts[one.utterance.name]

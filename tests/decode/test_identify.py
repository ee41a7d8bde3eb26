"""The oracle is transformers' ``detect_language``, over all its languages."""

import pytest
import torch
from transformers.modeling_outputs import BaseModelOutput

from espnet_merge.decode.identify import identify, posterior
from espnet_merge.errors import InputError
from espnet_merge.whisper.model import Encoded, load_whisper
from espnet_merge.whisper.prompt import load_tokenizer
from tests.micro import write_micro_whisper


@pytest.fixture(scope="module")
def tokenizer(micro_whisper):
    return load_tokenizer(micro_whisper)


def states(rows: int = 6) -> Encoded:
    generator = torch.Generator().manual_seed(0)
    return Encoded(3 * torch.randn(rows, 1500, 64, generator=generator), None)


def distinguishing(directory, seed):
    """A micro Whisper that identifies different languages in different states."""
    model = load_whisper(write_micro_whisper(directory, seed))
    for layer in model.model.decoder.layers:
        torch.nn.init.normal_(layer.encoder_attn.out_proj.weight, std=2)
    return model


def test_the_language_is_that_of_detect_language(tmp_path, tokenizer):
    vocabulary = tokenizer.get_vocab()
    identified = set()
    for seed in range(3):
        model = distinguishing(tmp_path, seed)
        encoded = states()
        model.generation_config.lang_to_id = {
            f"<|{code}|>": vocabulary[f"<|{code}|>"] for code in ("es", "it", "ru")
        }
        expected = model.detect_language(
            encoder_outputs=BaseModelOutput(encoded.states),
            generation_config=model.generation_config,
        )
        found = identify(model, encoded, tokenizer, ["ru", "it", "es"])
        tokens = [f"<|{language.code}|>" for language in found]
        assert tokens == tokenizer.convert_ids_to_tokens(expected.tolist())
        identified |= {language.code for language in found}
    assert len(identified) > 1


def test_probabilities_are_among_the_candidates(tmp_path, tokenizer):
    model = distinguishing(tmp_path, 1)
    few, many = (
        identify(model, states(), tokenizer, codes) for codes in (["es", "it"], None)
    )
    for narrow, wide in zip(few, many, strict=True):
        assert 0.5 <= narrow.probability <= 1
        assert 0.01 <= wide.probability < 1  # the best of a hundred
        if wide.code in ("es", "it"):
            assert wide.code == narrow.code
            assert wide.probability < narrow.probability
    [only, *_] = identify(model, states(), tokenizer, ["ru"])
    assert only == ("ru", 1.0)


def test_the_posterior_is_over_the_candidates_in_their_order(tmp_path, tokenizer):
    model = distinguishing(tmp_path, 1)
    rows = posterior(model, states(), tokenizer, ["ru", "it", "es"])
    assert rows.shape == (6, 3)
    torch.testing.assert_close(rows.sum(-1), torch.ones(6))
    pair = posterior(model, states(), tokenizer, ["es", "it"])
    # Among fewer the ratio is the same.
    torch.testing.assert_close(pair[:, 0] / pair[:, 1], rows[:, 2] / rows[:, 1])


def test_a_candidate_that_the_model_lacks(micro_whisper, tokenizer):
    model = load_whisper(micro_whisper)
    with pytest.raises(InputError, match=r"must have <\|xx\|>"):
        identify(model, states(), tokenizer, ["es", "xx"])

"""The oracle is transformers' ``generate``, at the 30 s that it demands."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import GenerationMixin
from transformers.generation.logits_process import WhisperTimeStampLogitsProcessor

from espnet_merge.decode.search import Rules, search
from espnet_merge.whisper.features import log_mel
from espnet_merge.whisper.model import Encoded, decode, encode, load_whisper, logits
from tests.micro import write_micro_whisper

END = 256
NO_TIMESTAMPS = 363
PROMPTS = torch.tensor([[257, 261 + row, 359, 363] for row in range(4)])


def talkative(directory: Path, seed: int):
    """A micro Whisper with sharp opinions, which now and then predicts the end."""
    model = load_whisper(write_micro_whisper(directory, seed))
    generator = torch.Generator().manual_seed(seed)
    decoder = model.model.decoder
    decoder.embed_positions.weight.data.normal_(std=0.6, generator=generator)
    embedding = decoder.embed_tokens.weight.data.normal_(std=0.2, generator=generator)
    embedding[END] *= 2
    model.generation_config.suppress_tokens = list(range(END + 1, len(embedding)))
    model.generation_config.begin_suppress_tokens = [32, END]
    return model


def noise(pad_to: float) -> list[torch.Tensor]:
    random = np.random.default_rng(0)
    return [
        torch.from_numpy(
            log_mel(
                loudness * random.standard_normal(int(seconds * 16_000)),
                n_mels=80,
                pad_to=pad_to,
            )
        )
        for seconds, loudness in [(1.0, 0.1), (1.4, 0.3), (0.7, 0.01), (2.0, 0.5)]
    ]


@torch.no_grad()
def encoded(model, mels: list[torch.Tensor]) -> Encoded:
    features = torch.nn.utils.rnn.pad_sequence(mels, batch_first=True)
    return encode(model.model.encoder, features, torch.tensor([*map(len, mels)]))


@pytest.mark.parametrize(
    ("beam", "early_stopping"), [(1, False), (5, False), (5, True)]
)
def test_hypotheses_equal_those_of_generate(tmp_path, beam, early_stopping):
    ends = []
    for seed in range(4):
        model = talkative(tmp_path, seed)
        mels = noise(30)
        found = search(
            model,
            encoded(model, mels),
            PROMPTS,
            Rules.of(model, END, 20),
            beam,
            early_stopping=early_stopping,
        )
        expected = model.generate(
            input_features=torch.stack(mels).transpose(1, 2),
            decoder_input_ids=PROMPTS,
            num_beams=beam,
            early_stopping=early_stopping,
            max_new_tokens=20,
            do_sample=False,
            return_timestamps=False,
        ).tolist()
        for hypothesis, text in zip(found, expected, strict=True):
            if text[:4] in PROMPTS.tolist():
                del text[:4]
            cut = text.index(END) if END in text else len(text)
            assert hypothesis.tokens == text[:cut]
            assert hypothesis.ended == (cut < 20)  # generate drops the last end
        ends += [hypothesis.ended for hypothesis in found]
    assert len(set(ends)) == 2  # some ended, some were cut: both ways are tested


@pytest.mark.parametrize("beam", [1, 5])
def test_timestamps_equal_those_of_generate(tmp_path, beam):
    stamps = 0
    for seed in range(4):
        model = talkative(tmp_path, seed)
        config = model.generation_config
        config.no_timestamps_token_id = NO_TIMESTAMPS
        config.suppress_tokens = list(range(END + 1, NO_TIMESTAMPS))
        config.max_initial_timestamp_index = 50
        mels = noise(30)
        rules = Rules.of(model, END, 20, NO_TIMESTAMPS)
        found = search(model, encoded(model, mels), PROMPTS[:, :3], rules, beam)
        # Whisper's own generate() goes on after the last timestamp; this one does not.
        expected = GenerationMixin.generate(
            model,
            input_features=torch.stack(mels).transpose(1, 2),
            decoder_input_ids=PROMPTS[:, :3],
            num_beams=beam,
            max_new_tokens=20,
            do_sample=False,
            logits_processor=[WhisperTimeStampLogitsProcessor(config, begin_index=3)],
        ).tolist()
        for hypothesis, [_, _, _, *text] in zip(found, expected, strict=True):
            cut = text.index(END) if END in text else len(text)
            assert hypothesis.tokens == text[:cut]
            stamps += sum(token > NO_TIMESTAMPS for token in hypothesis.tokens)
    assert stamps > 16  # more than the first of each


@pytest.mark.parametrize("beam", [1, 3])
@torch.no_grad()
def test_score_is_that_of_the_text_in_one_pass(tmp_path, beam):
    model = talkative(tmp_path, 1)
    audio = encoded(model, noise(0))
    found = search(model, audio, PROMPTS, Rules(END, 20), beam)
    for row, hypothesis in enumerate(found):
        ids = hypothesis.tokens + [END] * hypothesis.ended
        tokens = torch.tensor([[*PROMPTS[row].tolist(), *ids]])
        alone = Encoded(audio.states[[row]], audio.mask[[row]])
        states = decode(model.model.decoder, tokens, alone)[:, 3:-1]
        log_probs = logits(model.model.decoder, states)[0].log_softmax(-1)
        total = sum(log_probs[step, token].item() for step, token in enumerate(ids))
        assert hypothesis.score == pytest.approx(total, abs=1e-3)


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("pad_to", [0, 5])
def test_the_batch_changes_nothing(tmp_path, beam, pad_to):
    model = talkative(tmp_path, 2)
    rules = Rules.of(model, END, 20)
    mels = noise(pad_to)
    together = search(model, encoded(model, mels), PROMPTS, rules, beam)
    for row, mel in enumerate(mels):
        prompt = PROMPTS[row : row + 1]
        [alone] = search(model, encoded(model, [mel]), prompt, rules, beam)
        assert alone.tokens == together[row].tokens
        assert alone.score == pytest.approx(together[row].score, abs=1e-3)


def test_of_one_token_every_beam_finds_the_most_probable(tmp_path):
    model = talkative(tmp_path, 3)
    audio = encoded(model, noise(0))
    greedy, wide = (
        search(model, audio, PROMPTS, Rules(END, 1), beam) for beam in (1, 8)
    )
    assert [h.tokens for h in greedy] == [h.tokens for h in wide]


def test_suppressed_tokens_are_not_found(tmp_path):
    model = talkative(tmp_path, 0)
    audio = encoded(model, noise(0))
    first = search(model, audio, PROMPTS, Rules(END, 6))
    banned = sorted({token for hypothesis in first for token in hypothesis.tokens})
    second = search(model, audio, PROMPTS, Rules(END, 6, suppress_tokens=banned), 2)
    assert not {t for h in second for t in h.tokens} & set(banned)

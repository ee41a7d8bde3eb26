"""The guess of the language is held to the base's, fully trained or by LoRA."""

from pathlib import Path

import pytest
import torch

from espnet_merge.bin.whisper_train import main as whisper_train
from espnet_merge.lora.adapter import add_adapter
from espnet_merge.tasks.keeper import LanguageKeeper
from espnet_merge.tasks.model import WhisperModel
from espnet_merge.whisper.model import decode, encode, load_whisper
from espnet_merge.whisper.prompt import known_languages, load_tokenizer
from tests.speech import write_data
from tests.tasks.test_whisper import LORA, arguments

START, SPANISH = 257, 261


@pytest.fixture(scope="module")
def tokenizer(micro_whisper):
    return load_tokenizer(micro_whisper)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    prompts = [[START, language, 359, 363] for language in (SPANISH, 262)]
    text = torch.tensor([[*prompts[0], 80, 256], [*prompts[1], 7, 256]])
    return {
        "speech": torch.randn(2, 120, 80, generator=generator),
        "speech_lengths": torch.tensor([120, 80]),
        "text": text,
        "learnt": torch.tensor([[0, 0, 0, 0, 1, 1]] * 2),
        "utt_id": ["a", "b"],
    }  # fmt: skip


def posterior(whisper, batch, tokenizer):
    """Log-probabilities of the languages after the start, by the whole vocabulary."""
    encoded = encode(whisper.model.encoder, batch["speech"], batch["speech_lengths"])
    states = decode(whisper.model.decoder, torch.full((2, 1), START), encoded)
    scores = whisper.proj_out(states[:, 0])
    ids = [tokenizer.get_vocab()[f"<|{c}|>"] for c in known_languages(tokenizer)]
    return scores[:, ids].log_softmax(-1)


def moved(network):
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter += 0.01 * torch.sign(parameter + 1e-9)
    return network


def test_divergence_by_hand(micro_whisper, tokenizer, batch):
    base = load_whisper(micro_whisper)
    plain = WhisperModel(load_whisper(micro_whisper), tokenizer).eval()
    held = WhisperModel(load_whisper(micro_whisper), tokenizer, keep_languages=3.0)
    held.eval()
    assert held(**batch)[1]["languages"].abs() < 1e-6
    for model in (plain, held):
        moved(model.network)
    loss, stats, weight = held(**batch)
    p, q = (posterior(w, batch, tokenizer) for w in (base, held.network))
    expected = (p.exp() * (p - q)).sum() / 4  # tokens that are learnt
    assert expected > 1e-3
    torch.testing.assert_close(stats["languages"][0], expected)
    torch.testing.assert_close(loss, plain(**batch)[0] + 3 * expected)
    assert weight == 4
    # What is shown, and by what the best epoch is chosen, is the text's.
    torch.testing.assert_close(stats["loss"], plain(**batch)[1]["loss"])


def test_the_base_is_no_part_of_the_model(micro_whisper, tokenizer):
    plain = WhisperModel(load_whisper(micro_whisper), tokenizer)
    held = WhisperModel(load_whisper(micro_whisper), tokenizer, keep_languages=1.0)
    assert list(held.state_dict()) == list(plain.state_dict())
    count = len(list(plain.parameters()))
    assert len(list(held.parameters())) == count


def test_lora_is_held_without_a_copy(micro_whisper, tokenizer, batch):
    base = load_whisper(micro_whisper)
    network = add_adapter(
        load_whisper(micro_whisper), {"r": 2}, max_trainable_share=0.3
    )
    model = WhisperModel(network, tokenizer, keep_languages=1.0).train()
    moved(network)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    next(p for p in model.parameters() if p.requires_grad).requires_grad_(False)
    loss, stats, _ = model(**batch)
    p, q = (posterior(w, batch, tokenizer) for w in (base, model.whisper))
    expected = (p.exp() * (p - q)).sum() / 4
    torch.testing.assert_close(stats["languages"][0], expected)
    # peft would train everything of the adapter again.
    after = {name for name, p in model.named_parameters() if p.requires_grad}
    assert len(after) == len(trained) - 1
    assert network.training
    loss.backward()
    assert all(p.grad.any() for p in model.parameters() if p.requires_grad)


def test_an_utterance_is_heard_by_the_base_once(
    micro_whisper, tokenizer, batch, monkeypatch
):
    whisper, calls = load_whisper(micro_whisper), []

    def counted(*args):
        calls.append(args)
        return encode(*args)

    monkeypatch.setattr("espnet_merge.tasks.keeper.encode", counted)
    keeper = LanguageKeeper(whisper, tokenizer)
    states = torch.randn(2, 5, 64)
    first = keeper.divergence(whisper, states, batch)
    again = keeper.divergence(whisper, states, batch)
    assert len(calls) == 1
    assert torch.equal(first, again)
    del batch["utt_id"]
    keeper.divergence(whisper, states, batch)
    assert len(calls) == 2


def test_after_a_previous_text_it_does_not_count(micro_whisper, tokenizer, batch):
    whisper = load_whisper(micro_whisper)
    states = torch.randn(2, 5, 64)
    both = LanguageKeeper(whisper, tokenizer).divergence(whisper, states, batch)
    batch["text"][1, 0] = 361
    one = LanguageKeeper(whisper, tokenizer).divergence(whisper, states, batch)
    assert 0 < one < both


@pytest.mark.parametrize("kind", [(), LORA], ids=["full", "lora"])
def test_training_keeps_the_guess(micro_whisper, tmp_path, kind):
    data = tmp_path / "data"
    for seed, part in enumerate(("train", "valid")):
        write_data(data / part, count=8, seed=seed)

    def languages(exp: Path, keep: str) -> float:
        words = ("--model_conf", f"keep_languages={keep}", "--max_epoch", "3")
        whisper_train(arguments(micro_whisper, data, exp, *words, *kind))
        checkpoint = torch.load(exp / "checkpoint.pth", weights_only=True)
        return checkpoint["reporter"]["stats"][3]["valid"]["languages"]

    # As good as not held, but measured.
    free = languages(tmp_path / "free", "1.0e-9")
    held = languages(tmp_path / "held", "1000.0")
    assert held < free / 2


def test_bad_weight(micro_whisper, tokenizer):
    from espnet_merge.errors import InputError

    with pytest.raises(
        InputError, match=r"keep_languages must be a number in \[0, inf\)"
    ):
        WhisperModel(load_whisper(micro_whisper), tokenizer, keep_languages=-1)

"""Scores of a model, against those of the commands and of transformers."""

import json
import math

import pytest
import torch

import espnet_merge as em
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.utterances import read_audio, read_utterances
from espnet_merge.errors import InputError
from espnet_merge.search.goals import Goal
from espnet_merge.search.sets import read_sets
from espnet_merge.whisper.features import log_mel
from espnet_merge.whisper.model import load_whisper
from espnet_merge.whisper.prompt import encode_target, load_tokenizer, prompt_ids
from tests.speech import write_data


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    return [
        write_data(root / name, languages=languages, count=count, seed=count)
        for name, languages, count in (
            ("dev", ("es", "ru"), 5),
            ("other", ("it",), 3),
        )
    ]


@pytest.fixture(scope="module")
def whisper(micro_whisper):
    return load_whisper(micro_whisper)


def sets(data, kept, model, **settings):
    values = {"pad_to": 0.0, "batch_size": 2, "max_new_tokens": 5, **settings}
    return read_sets(data, kept, model, Settings(**values))


def test_error_rates_are_those_of_decode_and_score(
    micro_whisper, whisper, data, tmp_path
):
    objective = sets(data[:1], data[1:], micro_whisper).error_rates("fold")
    assert list(objective.sets) == [
        Goal("error rate in %"),
        Goal("error rate in %, kept"),
    ]
    expected = []
    for one in data:
        em.decode(
            model=micro_whisper,
            data=[one],
            output=[tmp_path / one.name],
            pad_to=0,
            batch_size=2,
            max_new_tokens=5,
        )
        scores = em.score(ref=one, hyp=[tmp_path / one.name], normalizer="fold")
        found = scores[tmp_path / one.name]["metrics"]["wer"]["normalized"]
        expected.append(found["rate"])
    assert objective(whisper) == expected
    texts = (tmp_path / "dev" / "text").read_text("utf-8").splitlines()
    mine = objective.texts(whisper, data[0])
    assert [f"{k} {v}".strip() for k, v in mine.items()] == texts


def test_the_goals_are_means_over_sets(micro_whisper, whisper, data):
    both = sets(data, [], micro_whisper).error_rates("basic")
    apart = sets(data[:1], data[1:], micro_whisper).error_rates("basic")
    assert both(whisper) == [pytest.approx(sum(apart(whisper)) / 2)]


def test_translations_are_a_goal_of_their_own(micro_whisper, whisper, data, tmp_path):
    translated = write_data(tmp_path / "es-en", count=2)
    table = translated / "utt2task"
    table.write_text(table.read_text().replace("transcribe", "translate"))
    objective = sets([*data, translated], [], micro_whisper).error_rates("basic")
    assert [goal.maximise for goal in objective.sets] == [False, True]
    assert list(objective.sets.values()) == [data, [translated]]
    assert 0 <= objective(whisper)[1] < 100
    with pytest.raises(InputError, match="set of translations; give it as --data"):
        sets(data, [translated], micro_whisper).error_rates("basic")


@pytest.mark.parametrize("pad_to", [0.0, 30.0])
def test_the_loss_is_that_of_transformers(micro_whisper, whisper, data, pad_to):
    """One utterance at a time, in the window of 30 s that it takes."""
    objective = sets(data[:1], data[1:], micro_whisper, pad_to=pad_to).losses()
    if pad_to == 0:
        alone = sets(data[:1], [], micro_whisper, batch_size=1).losses()
        assert alone(whisper) == [pytest.approx(objective(whisper)[0], rel=1e-5)]
        return
    expected = []
    tokenizer = load_tokenizer(micro_whisper)
    for one in data:
        texts = dict(
            line.split(" ", 1) for line in (one / "text").read_text().splitlines()
        )
        total, count = 0.0, 0
        for utterance in read_utterances(one):
            language, task = utterance.language, utterance.task
            ids = torch.tensor(
                [encode_target(tokenizer, texts[utterance.name], language, task)]
            )
            mel = log_mel(read_audio(utterance), n_mels=80, pad_to=30.0)
            with torch.no_grad():
                scores = whisper(
                    torch.from_numpy(mel).T[None], decoder_input_ids=ids[:, :-1]
                ).logits.log_softmax(-1)[0]
            for place in range(
                len(prompt_ids(tokenizer, language, task)), ids.shape[1]
            ):
                total -= float(scores[place - 1, ids[0, place]])
                count += 1
        expected.append(total / count)
    assert objective(whisper) == pytest.approx(expected, rel=1e-4)
    assert all(math.isfinite(value) for value in expected)


def test_the_loss_is_of_the_spoken_language_where_decoding_is_to_hear_it(
    micro_whisper, whisper, data
):
    told = sets(data, [], micro_whisper).losses()(whisper)
    heard = sets(data, [], micro_whisper, language="auto").losses()(whisper)
    assert heard == told
    assert told[0] > 0


def test_sets_are_given_once_and_have_texts(micro_whisper, data, tmp_path):
    with pytest.raises(InputError, match="must name each set once"):
        sets(data, data[:1], micro_whisper)
    short = write_data(tmp_path / "short", count=2)
    lines = (short / "text").read_text().splitlines(keepends=True)
    for table in ("text", "utt2lang"):
        (short / table).write_text((short / table).read_text().splitlines(True)[0])
    assert len(lines) == 2
    with pytest.raises(InputError, match="must have the same ids"):
        sets([short], [], micro_whisper, language="es")


def test_the_record_tells_other_data(micro_whisper, data, tmp_path):
    (before,) = sets(data[:1], [], micro_whisper).record()
    json.dumps(before)
    text = data[0] / "text"
    old = text.read_text()
    try:
        text.write_text(old.replace("palabra", "otra"))
        (after,) = sets(data[:1], [], micro_whisper).record()
    finally:
        text.write_text(old)
    assert {k for k in before if before[k] != after[k]} == {"text_sha256"}

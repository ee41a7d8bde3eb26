import jiwer
import pytest
import sacrebleu

from espnet_merge.errors import InputError
from espnet_merge.score.evaluate import evaluate
from espnet_merge.score.utterances import ScoredUtterance

SPANISH = [
    ScoredUtterance("a", "s1", "es", "Él está aquí.", "él esta aquí"),
    ScoredUtterance("b", "s1", "es", "¿No?", ""),
    ScoredUtterance("c", "s2", "es", "uno, dos, tres", "uno dos dos dos dos dos"),
]


def test_rates_are_totals_of_the_set_raw_and_normalised():
    score = evaluate(SPANISH, "basic", ["wer", "cer"])
    said, heard = (
        [u.reference for u in SPANISH],
        [u.hypothesis for u in SPANISH],
    )
    raw, clean = (score["metrics"]["wer"][key] for key in ("raw", "normalized"))
    assert raw["rate"] == pytest.approx(100 * jiwer.wer(said, heard))
    assert clean == {
        "rate": pytest.approx(100 * 6 / 7),
        "reference": 7,
        "correct": 4,
        "substitutions": 2,
        "deletions": 1,
        "insertions": 3,
        "sentences": 3,
        "wrong_sentences": 3,
    }
    cer = score["metrics"]["cer"]["raw"]["rate"]
    assert cer == pytest.approx(100 * jiwer.cer(said, heard))
    assert score["loops"] == 1
    assert score["empty_hypotheses"] == 1
    assert score["main"] == "wer"
    assert score["rules"] == {"es": "basic"}


def test_folding_forgives_missing_accents():
    fold = evaluate(SPANISH[:1], "fold", ["wer"])
    assert fold["metrics"]["wer"]["normalized"]["rate"] == 0


def test_scripts_without_spaces_are_counted_in_characters():
    chinese = [ScoredUtterance("a", "s", "zh", "今天 天气好", "今天天 气坏")]
    score = evaluate(chinese, "basic", ["wer", "cer"])
    assert score["main"] == "cer"
    assert score["metrics"]["cer"]["normalized"]["reference"] == 5
    assert score["metrics"]["cer"]["normalized"]["substitutions"] == 1
    looping = [chinese[0]._replace(hypothesis="今天今天今天今天")]
    assert evaluate(looping, "basic", ["cer"])["loops"] == 1


def test_a_loop_that_was_spoken_is_none():
    spoken = [ScoredUtterance("a", "s", "es", "no no no no", "No, no, no, no")]
    assert evaluate(spoken, "basic", ["wer"])["loops"] == 0


def test_empty_reference_counts_insertions():
    tone = ScoredUtterance("d", "s2", "es", "[tono]", "hola")
    score = evaluate([SPANISH[0], tone], "basic", ["wer"])
    assert score["empty_references"] == 1
    assert score["metrics"]["wer"]["normalized"]["insertions"] == 1
    with pytest.raises(InputError, match=r"all 1 are empty"):
        evaluate([tone], "basic", ["wer"])


def test_bleu_is_sacrebleus_with_its_signature():
    said, heard = [u.reference for u in SPANISH], [u.hypothesis for u in SPANISH]
    score = evaluate(SPANISH, "none", ["bleu", "chrf"])["metrics"]
    assert score["bleu"]["raw"]["score"] == sacrebleu.corpus_bleu(heard, [said]).score
    assert score["chrf"]["raw"]["score"] == sacrebleu.corpus_chrf(heard, [said]).score
    assert "tok:13a" in score["bleu"]["raw"]["signature"]
    chinese = [ScoredUtterance("a", "s", "zh", "今天天气好", "今天天气好")]
    found = evaluate(chinese, "none", ["bleu"])["metrics"]["bleu"]["raw"]
    assert "tok:zh" in found["signature"]
    assert found["score"] == pytest.approx(100)


@pytest.mark.parametrize(
    ("utterances", "normalizer", "metrics", "message"),
    [
        ([], "basic", ["wer"], "must have utterances"),
        (SPANISH, "nfc", ["wer"], "normalizer must be one of none, basic"),
        (SPANISH, "basic", ["ter"], "metric must be one of wer, cer"),
    ],
)
def test_bad_input(utterances, normalizer, metrics, message):
    with pytest.raises(InputError, match=message):
        evaluate(utterances, normalizer, metrics)

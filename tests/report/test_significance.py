from dataclasses import replace

import pytest

from espnet_merge.report.significance import against_base, draw, fallen, mean_difference
from tests.report.fake import read


def differences_in(exp):
    results = read(exp)
    return against_base(results, draw(results))


def test_differences_to_the_base(exp):
    # Errors are spread over 40 utterances so evenly that all that differ, differ to
    # the same side; where fewer than six do, no permutation test can be significant.
    tested = differences_in(exp)
    found = tested["full_es"]["es"]  # 400 errors against 100: in all 40 utterances
    assert (found.a, found.b, found.points) == pytest.approx((40, 10, -30))
    assert found.low < -30 < found.high < 0
    # No drawn signs reach the sum of equal ones; Holm multiplies the least p by 3.
    assert found.p == pytest.approx(3 / 1001)
    assert tested["joint"]["en"].p == pytest.approx(2 / 2**5)  # 5 utterances differ
    assert tested["soup"]["en"].p == 1  # equal
    trained = mean_difference(read(exp), "soup", "zero_shot", ["es_test", "it_test"])
    assert tested["soup"]["in-domain"] == trained
    assert tested["zero_shot"] == {}


def test_a_missing_score_is_not_tested(exp):
    (exp / "soup/inference_padded/it_test/score.json").unlink()
    assert list(differences_in(exp)["soup"]) == ["es", "en", "other"]
    (exp / "zero_shot/inference_padded/es_test/score.json").unlink()
    assert list(differences_in(exp)["soup"]) == ["en", "other"]


def test_fallen_are_sets_that_are_significantly_worse(exp):
    (exp / "soup/inference_padded/it_test/score.json").unlink()
    assert fallen(read(exp)) == {
        # it: 200 errors and 250; en: 100 and 120, more in 20 utterances.
        "full_es": ["it", "en"],
        "full_it": ["es", "en"],
        # en: 100 and 105, more in 5 utterances: p is 1 / 2**5 times 3.
        "joint": [],
        "tsv_m": [],
    }
    (exp / "full_es/inference_padded/en_test/score.json").unlink()
    assert fallen(read(exp))["full_es"] == ["it"]


def test_mean_difference_over_sets(exp):
    tested = mean_difference(read(exp), "tsv_m", "joint", ["es_test", "it_test"])
    # (16 + 8) / 2 - (12 + 14) / 2
    assert tested.points == pytest.approx(-1)
    assert tested.low < -1 < tested.high
    assert (tested.name, tested.units) == ("mean", 80)
    # es has an error more in each of 40 utterances, it 60 less in all.
    assert 0.05 < tested.p < 0.5


def test_a_group_of_one_set_is_that_set_less_the_correction(exp):
    tested = differences_in(exp)["full_es"]
    # No drawn signs reach any of the three sets; en has 120 errors against 100.
    corrected, alone = tested["en"], tested["other"]
    assert (corrected.p, alone.p) == pytest.approx((3 / 1001, 1 / 1001))
    assert replace(corrected, p=alone.p) == alone

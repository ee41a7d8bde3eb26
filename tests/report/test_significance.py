import pytest

from espnet_merge.report.significance import mean_difference, significant
from tests.report.fake import read


def test_significant_differences_to_the_base(exp):
    # Errors are spread over 40 utterances so evenly that all that differ, differ to
    # the same side; where fewer than six do, no permutation test can be significant.
    found = significant(read(exp))
    assert ("full_es", "es") in found  # 400 errors against 100: all 40 utterances
    assert ("joint", "en") not in found  # 100 against 105: 5 utterances
    assert ("joint", "untrained") not in found
    assert ("soup", "en") not in found  # equal
    assert {column for system, column in found if system == "soup"} == {
        "es", "it", "trained",
    }  # fmt: skip
    assert not [system for system, _ in found if system == "zero_shot"]


def test_a_missing_score_is_no_significant_one(exp):
    (exp / "soup/inference_padded/it_test/score.json").unlink()
    found = significant(read(exp))
    assert ("soup", "es") in found
    assert not {("soup", "it"), ("soup", "trained")} & found


def test_mean_difference_over_sets(exp):
    tested = mean_difference(read(exp), "tsv_m", "joint", ["es_test", "it_test"])
    # (16 + 8) / 2 - (12 + 14) / 2
    assert tested.points == pytest.approx(-1)
    assert tested.low < -1 < tested.high
    assert (tested.name, tested.units) == ("mean", 80)
    # es has an error more in each of 40 utterances, it 60 less in all.
    assert 0.05 < tested.p < 0.5

"""What a score depends on is in its digests."""

import shutil
from pathlib import Path

import pytest

from espnet_merge.errors import InputError
from espnet_merge.score import current
from espnet_merge.score.current import check_rules, inputs_digest
from espnet_merge.score.normalize import NORMALIZERS

digest = current.rules_digest.__wrapped__  # each time anew


@pytest.fixture
def room(tmp_path, monkeypatch):
    """The sources of the rules, to change them."""
    here = Path(current.__file__).parent
    shutil.copytree(here, tmp_path / "score", ignore=lambda *_: {"__pycache__"})
    monkeypatch.setattr(current, "__file__", str(tmp_path / "score" / "current.py"))
    return tmp_path / "score"


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("characters.py", '"ـ": ""', '"ـ": "-"'),
        ("languages.py", '"zh", "yue", "ja"', '"zh", "yue"'),
        ("normalize.py", '"NFKC"', '"NFC"'),
        ("counts.py", '" "', '"_"'),
        ("evaluate.py", '"cer" if', '"wer" if'),
        ("signs.py", "return", "return not"),
    ],
)
def test_another_row_or_rule_is_another_digest(room, file, old, new):
    before = digest("basic")
    text = (room / file).read_text("utf-8")
    assert old in text
    (room / file).write_text(text.replace(old, new), encoding="utf-8")
    assert digest("basic") != before


def test_what_makes_no_rate_is_not_in_it(room):
    before = digest("basic")
    (room / "bootstrap.py").write_text("")
    assert digest("basic") == before


@pytest.mark.parametrize(
    ("package", "normalizers"),
    [
        ("transformers", {"whisper"}),
        ("whisper-normalizer", {"whisper"}),
        ("opencc", {"simplified"}),
    ],
)
def test_another_version_of_a_package_is_another_digest(
    package, normalizers, monkeypatch
):
    before = {name: digest(name) for name in NORMALIZERS}
    known = current.version
    monkeypatch.setattr(
        current, "version", lambda name: "9.9" if name == package else known(name)
    )
    assert {n for n in NORMALIZERS if digest(n) != before[n]} == normalizers


def test_another_unicode_is_another_digest(monkeypatch):
    before = digest("basic")
    monkeypatch.setattr(current.unicodedata, "unidata_version", "99.0")
    assert digest("basic") != before


@pytest.mark.parametrize("file", ["text", "utt2lang", "utt2spk", "utt2task"])
def test_every_file_of_the_reference_is_in_the_digest(tmp_path, file):
    (tmp_path / "ref").mkdir()
    (tmp_path / "hyp").mkdir()
    before = inputs_digest(tmp_path / "ref", tmp_path / "hyp")
    (tmp_path / "ref" / file).touch()
    absent = inputs_digest(tmp_path / "ref", tmp_path / "hyp")
    (tmp_path / "ref" / file).write_text("a b\n")
    assert len({before, absent, inputs_digest(tmp_path / "ref", tmp_path / "hyp")}) == 3


@pytest.mark.parametrize("score", [{}, {"rules_digest": "0" * 32}])
def test_a_score_by_other_rules_is_refused(score):
    with pytest.raises(InputError, match=r"by the rules that normalizer 'basic' has"):
        check_rules(Path("score.json"), {"normalizer": "basic", **score})

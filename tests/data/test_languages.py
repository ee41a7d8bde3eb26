from espnet_merge.data.languages import read_languages


def test_table_of_languages_is_in_whispers_codes(tmp_path):
    (tmp_path / "utt2lang").write_text("a Spanish\nb es\nc tlh\nd haitian creole\n")
    assert read_languages(tmp_path / "utt2lang") == {
        "a": "es",
        "b": "es",
        "c": "tlh",
        "d": "ht",
    }

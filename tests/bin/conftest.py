import pytest

from tests.checkpoint.build import fine_tuned, whisper_tensors, write_checkpoint


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A base and two experts of it, in the working directory."""
    monkeypatch.chdir(tmp_path)
    base = whisper_tensors()
    write_checkpoint(tmp_path / "base", base, vocabulary={"a": 0})
    for seed in (1, 2):
        write_checkpoint(tmp_path / f"e{seed}", fine_tuned(base, seed))
    return tmp_path

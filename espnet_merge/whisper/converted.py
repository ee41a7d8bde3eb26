"""Convert models of other formats to Hugging Face directories, each only once."""

from pathlib import Path

from espnet_merge.disk.cache import made_once
from espnet_merge.whisper.fetched import CT2_FILE, is_ct2


def as_directory(model: Path, cache: Path) -> Path:
    """Return a model as a Hugging Face directory.

    Args:
        model: a Hugging Face directory, which is returned as it is, or a CTranslate2
            directory or OpenAI file, which is converted.
        cache: directory of converted models, under the digests of their weights.

    Raises:
        InputError: the weights cannot be read, or are quantised.
    """
    file = model / CT2_FILE if is_ct2(model) else model
    if not file.is_file():
        return model
    # Imported late, so that --help starts fast.
    from espnet_merge.disk.digest import sha256

    def make(place: Path) -> None:
        from espnet_merge.whisper.fetch import fetch

        fetch(str(model), place, cache)

    return made_once(cache / "models" / sha256(file), make)

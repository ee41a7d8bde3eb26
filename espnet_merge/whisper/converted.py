"""Convert models of other formats to Hugging Face directories, each only once."""

from pathlib import Path

from espnet_merge.disk.cache import made_once
from espnet_merge.files import CONFIG_JSON
from espnet_merge.whisper.fetched import CT2_FILE, is_ct2
from espnet_merge.whisper.named import as_named, place_of


def as_directory(model: Path, cache: Path) -> Path:
    """Return a model as a Hugging Face directory.

    Args:
        model: such a directory, which is returned, one of CTranslate2, or an OpenAI
            file; these are converted once.
        cache: where what was converted is kept, by the digest of what was read.

    Raises:
        InputError: the weights cannot be read, or are quantised.
    """
    file = model / CT2_FILE if is_ct2(model) else model
    if not file.is_file():
        return as_named(model, cache)
    # Imported late, so that --help starts fast.
    from espnet_merge.disk.digest import sha256

    def make(place: Path) -> None:
        from espnet_merge.whisper.fetch import fetch

        fetch(str(model), place, cache)

    config = model / CONFIG_JSON
    parts = [sha256(part) for part in (file, config) if part.is_file()]
    return made_once(place_of(cache, *parts), make)

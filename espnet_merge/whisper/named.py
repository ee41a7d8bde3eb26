"""Give weights the names of the model, where a training has given them others."""

import hashlib
from pathlib import Path

from espnet_merge.checkpoint.hf import is_hf, open_hf
from espnet_merge.checkpoint.identity import files_digest
from espnet_merge.checkpoint.names import TRAINED
from espnet_merge.checkpoint.output import Output, copy_weights, dtype_of
from espnet_merge.checkpoint.stored import check_stored
from espnet_merge.disk.atomic import whole_directory
from espnet_merge.disk.cache import made_once
from espnet_merge.files import CONFIG_JSON
from espnet_merge.version import __version__


def as_named(model: Path, cache: Path) -> Path:
    """Return a Hugging Face directory whose weights have the names of the model.

    Args:
        model: such a directory, which is returned, or one whose weights have the names
            that a training gave them; it is written once under theirs.
        cache: where that is kept, by the digest of what was read.

    Raises:
        InputError: the weights cannot be read, or are quantised.
    """
    if not is_hf(model) or not (model / CONFIG_JSON).is_file():
        return model  # whoever loads it says what is wrong
    check_stored(model)
    opened = open_hf(model)
    if opened.naming is not TRAINED:
        return model

    def make(place: Path) -> None:
        output = Output("hf", [opened])
        with whole_directory(place) as part:
            copy_weights(opened, output, part)
            output.copy_side_files(part, dtype_of(opened))

    return made_once(place_of(cache, files_digest(model)), make)


def place_of(cache: Path, *digests: str) -> Path:
    """Return where the cache keeps what was made of files with these digests."""
    key = hashlib.sha256(" ".join([__version__, *digests]).encode()).hexdigest()
    return cache / "models" / key

"""What a repository of the hub holds, and the files of it that a model needs."""

import re
from collections.abc import Collection
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError

from espnet_merge.checkpoint.adapter import WEIGHTS as OF_ADAPTERS
from espnet_merge.checkpoint.hf import SINGLE
from espnet_merge.checkpoint.hf import WEIGHTS as OF_MODELS
from espnet_merge.checkpoint.side_files import SIDE_FILES
from espnet_merge.errors import InputError
from espnet_merge.files import ADAPTER_CONFIG
from espnet_merge.whisper.fetched import CT2_FILE

SIZES = {
    **{
        name: f"openai/whisper-{name}"
        for size in ("tiny", "base", "small", "medium")
        for name in (size, f"{size}.en")
    },
    "large-v1": "openai/whisper-large",
    "large-v2": "openai/whisper-large-v2",
    "large-v3": "openai/whisper-large-v3",
    "large": "openai/whisper-large-v3",
    "turbo": "openai/whisper-large-v3-turbo",
    "large-v3-turbo": "openai/whisper-large-v3-turbo",
}
TIMEOUT = 5.0  # seconds


def repository_of(source: str) -> str:
    """Return the repository that a size, or a name on the hub, stands for.

    Raises:
        InputError: it is neither.
    """
    repository = SIZES.get(source, source)
    if repository.count("/") != 1 or source.endswith(".pt"):
        raise InputError(
            f"source must be an existing directory or file, OWNER/NAME on the hub, or "
            f"one of {', '.join(SIZES)}; got {source!r}."
        )
    return repository


def size_of(repository: str) -> str:
    """Return the size that OpenAI published there; empty if it is none.

    >>> size_of("openai/whisper-base")
    'base'
    """
    return next((size for size, name in SIZES.items() if name == repository), "")


def download(repository: str, *, weights: bool = True) -> Path:
    """Return the local copy of what a model needs; give up after a short timeout.

    The repository is asked what it holds, because many hold their weights several
    times: in other formats, and in other types. Without the hub, a copy that is there
    is taken.

    Args:
        repository: OWNER/NAME of a model or an adapter.
        weights: take the weights, too, not only what stands beside them.

    Raises:
        InputError: there are no weights that are read here.
        RepositoryNotFoundError: there is no such repository.
        OSError: the hub was not reached.
    """
    api = HfApi()
    try:
        listed = api.model_info(repository, timeout=TIMEOUT).siblings or []
    except RepositoryNotFoundError:
        raise
    except Exception:  # of whichever library its client uses
        names = [*SIDE_FILES, SINGLE] if weights else [*SIDE_FILES]
        return Path(
            api.snapshot_download(
                repository, allow_patterns=names, local_files_only=True
            )
        )
    held = [file.rfilename for file in listed]
    names = [name for name in held if name in SIDE_FILES]
    if weights:
        if not (found := weights_among(held)):
            raise InputError(
                f"{repository}: the repository must hold {SINGLE}, pytorch_model.bin, "
                f"an adapter or CTranslate2's {CT2_FILE}; it holds none of them: name "
                "another."
            )
        names += found
    return Path(
        api.snapshot_download(repository, allow_patterns=names, etag_timeout=TIMEOUT)
    )


def weights_among(names: Collection[str]) -> list[str]:
    """Return the files of one copy of the weights, those that ``open_hf`` reads.

    >>> weights_among(["model.safetensors", "model.fp32-00001-of-00001.safetensors"])
    ['model.safetensors']
    >>> weights_among(["pytorch_model.bin", "tf_model.h5"])
    ['pytorch_model.bin']
    """
    for single, index in OF_MODELS:
        if single in names:
            return [single]
        if index in names:
            stem, _, suffix = single.partition(".")
            shard = re.compile(rf"{stem}-\d+-of-\d+\.{suffix}")
            return [index, *filter(shard.fullmatch, names)]
    if ADAPTER_CONFIG in names:
        return [ADAPTER_CONFIG, *[x for x in OF_ADAPTERS if x in names][:1]]
    return [CT2_FILE] if CT2_FILE in names else []

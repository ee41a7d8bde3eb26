"""What a repository of the hub holds, and the files of it that a model needs."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from espnet_merge.checkpoint.adapter import WEIGHTS as OF_ADAPTERS
from espnet_merge.checkpoint.hf import SINGLE, is_hf, weight_files
from espnet_merge.checkpoint.hf import WEIGHTS as OF_MODELS
from espnet_merge.checkpoint.hub_names import ON_HUB, is_hub_name
from espnet_merge.checkpoint.side_files import SIDE_FILES
from espnet_merge.checkpoint.stored import RECORDS
from espnet_merge.errors import InputError, warn
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
_COMMIT = re.compile("[0-9a-f]{40}")


def repository_of(source: str) -> str:
    """Return the repository that a size, or a name on the hub, stands for.

    Raises:
        InputError: it is neither.

    >>> repository_of("turbo@main")
    'openai/whisper-large-v3-turbo@main'
    """
    name, at, revision = source.partition("@")
    repository = SIZES.get(name, name) + at + revision
    if not is_hub_name(repository):
        raise InputError(
            f"source must be an existing directory or file, {ON_HUB}, or one of"
            f" {', '.join(SIZES)}; got {source!r}."
        )
    return repository


def size_of(repository: str) -> str:
    """Return the size that OpenAI published there; empty if it is none.

    >>> size_of("openai/whisper-base")
    'base'
    """
    return next((size for size, name in SIZES.items() if name == repository), "")


def download(name: str, *, weights: bool = True) -> Path:
    """Return the local copy of what a model needs; give up after a short timeout.

    The repository is asked what it holds, because many hold their weights several
    times: in other formats, and in other types. A download that was cut goes on where
    it was. Without the hub, a copy that is there is taken, with a warning. A commit
    that is there is taken without asking.

    Args:
        name: ``OWNER/NAME`` of a model or an adapter, with or without ``@REVISION``:
            a branch, a tag or a commit.
        weights: take the weights, too, not only what stands beside them.

    Raises:
        InputError: there is no such repository or revision, the user may not read it,
            or there are no weights that are read here.
        OSError: the hub was not reached.
    """
    repository, _, given = name.partition("@")
    revision = given or None
    if _COMMIT.fullmatch(given) and (copy := _copy(repository, revision, weights)):
        return copy
    with _told(name):
        try:
            told = HfApi().model_info(repository, revision=revision, timeout=TIMEOUT)
        except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError):
            raise
        except Exception as error:  # of whichever library its client uses
            if not (copy := _copy(repository, revision, weights)):
                raise
            warn(
                f"{name}: the hub was not reached ({type(error).__name__}); taking the"
                f" copy of commit {copy.name[:12]} that is here."
            )
            return copy
        held = [file.rfilename for file in told.siblings or []]
        return Path(
            HfApi().snapshot_download(
                repository,
                revision=revision,
                allow_patterns=_needed(name, held, weights),
                etag_timeout=TIMEOUT,
            )
        )


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Say in one line why the hub does not give a model."""
    try:
        yield
    except GatedRepoError as error:
        raise InputError(
            f"{name}: its owner must let you read it: ask on its page on the hub, then"
            " log in with 'hf auth login' or set HF_TOKEN."
        ) from error
    except RepositoryNotFoundError as error:
        raise InputError(
            f"{name}: the hub has no such model, or it is private: correct the name, or"
            " log in with 'hf auth login' or set HF_TOKEN."
        ) from error
    except RevisionNotFoundError as error:
        raise InputError(
            f"{name}: the hub has the model, and no such revision of it; give a branch,"
            " a tag or a commit."
        ) from error
    except HFValidationError as error:
        raise InputError(f"{name}: must be {ON_HUB}; {error}") from error
    except (InputError, OSError):
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def _needed(name: str, held: Collection[str], weights: bool) -> list[str]:
    """Return the files to take of those that a repository holds."""
    names = [file for file in held if file in (*SIDE_FILES, *RECORDS)]
    if weights and not (found := weights_among(held)):
        raise InputError(
            f"{name}: the repository must hold {SINGLE}, pytorch_model.bin, an adapter"
            f" or CTranslate2's {CT2_FILE}; it holds none of them: name another."
        )
    return names + (found if weights else [])


def _copy(repository: str, revision: str | None, weights: bool) -> Path | None:
    """Return the copy that is here; None where there is none, or a part of one."""
    try:
        copy = Path(
            HfApi().snapshot_download(
                repository,
                revision=revision,
                # Of weights, one of several copies is enough: see below.
                allow_patterns=[*SIDE_FILES, *RECORDS],
                local_files_only=True,
            )
        )
        held = [file.name for file in copy.iterdir() if file.exists()]
        needed = [*_needed(repository, held, weights), *_in_index(copy, held)]
    except (OSError, InputError, HFValidationError):
        return None
    return copy if set(needed) <= set(held) else None


def _in_index(directory: Path, held: Collection[str]) -> list[str]:
    """Return the names of all shards of the weights, those that are not there, too."""
    if not is_hf(directory):
        return []
    return [file.name for file in weight_files(directory) if file.name not in held]


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
    adapter = [name for name in OF_ADAPTERS if name in names]
    if ADAPTER_CONFIG in names and adapter:
        return [ADAPTER_CONFIG, adapter[0]]
    return [CT2_FILE] if CT2_FILE in names else []

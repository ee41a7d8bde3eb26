"""Publish a model on the hub, through the hub's own client."""

from pathlib import Path

import yaml
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from espnet_merge.card.benchmarks import FOLDER
from espnet_merge.card.provenance import Source, read_provenance
from espnet_merge.checkpoint import open_expert
from espnet_merge.checkpoint.identity import model_files
from espnet_merge.checkpoint.stored import RECORDS, check_stored
from espnet_merge.errors import InputError
from espnet_merge.files import EXPORT_YAML, README_MD


def published_files(model: Path) -> list[str]:
    """Return the names of what is published: the model, its records and its card.

    Raises:
        InputError: it is no whole model or adapter.
    """
    records = [name for name in (*RECORDS, README_MD) if (model / name).is_file()]
    records += [f"{FOLDER}/{path.name}" for path in (model / FOLDER).glob("*.yaml")]
    if read_provenance(model).runtime_format:
        check_stored(model)
        record = yaml.safe_load((model / EXPORT_YAML).read_bytes())
        return sorted({*record["files"], *records})
    open_expert(model)
    return sorted({*(file.name for file in model_files(model)), *records})


def push(model: Path, repository: str, *, public: bool) -> str:
    """Upload a model in one commit; return its address.

    Args:
        model: directory, with its card.
        repository: OWNER/NAME, made if it is not there; else it is as visible as it
            was.
        public: whether all may see a new one.

    Raises:
        InputError: the hub was not reached, or refuses.
    """
    api, names = HfApi(), published_files(model)
    try:
        api.create_repo(repository, private=not public, exist_ok=True)
        done = api.upload_folder(
            repo_id=repository,
            folder_path=model,
            allow_patterns=names,
            commit_message=f"Publish {repository.rpartition('/')[2]}",
        )
    except HFValidationError as error:
        raise InputError(
            f"REPOSITORY must be OWNER/NAME, as the hub allows; {_first_line(error)}"
        ) from error
    except HfHubHTTPError as error:
        raise InputError(
            f"{repository}: the hub refused it: {_first_line(error)}: log in with 'hf "
            "auth login', with a token that may write there, or name another."
        ) from error
    except Exception as error:  # of whichever library its client uses
        raise InputError(
            f"{repository}: the hub was not reached: {_first_line(error)}: connect, "
            "and run this again: what was sent is not sent twice."
        ) from error
    return str(done.commit_url)


def with_licence(source: Source) -> Source:
    """Return a model with the licence that its own card on the hub says.

    A model that the hub does not tell of stays as it is.
    """
    from dataclasses import replace

    if source.license or not source.hub:
        return source
    try:
        card = HfApi().model_info(source.hub, revision=source.commit or None).card_data
    except HfHubHTTPError:
        return source
    return replace(source, license=(card and card.get("license")) or "")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__

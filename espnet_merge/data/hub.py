"""Files of data sets on the hub, by ``hf://datasets/OWNER/NAME@COMMIT/FILE``."""

import re
from pathlib import Path

from espnet_merge.errors import InputError

SCHEME = "hf://"
_ADDRESS = re.compile(r"hf://datasets/([^/@]+/[^/@]+)@([^/]+)/(.+)")
TIMEOUT = 10.0  # seconds


def download_from_hub(address: str, target: Path) -> Path:
    """Download to ``target``, from where an earlier download was interrupted.

    Args:
        address: as above.
        target: path to download to.

    Raises:
        InputError: the hub is not reached, or has no such file.
    """
    from huggingface_hub import HfApi

    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise ValueError(f"{address} is not hf://datasets/OWNER/NAME@COMMIT/FILE")
    repository, commit, file = match.groups()
    # Beside the target, so that it is only renamed, and parts wait there to be resumed.
    folder = target.parent / ".hub"
    try:
        found = HfApi().hf_hub_download(
            repository,
            file,
            revision=commit,
            repo_type="dataset",
            local_dir=folder,
            etag_timeout=TIMEOUT,
        )
    except Exception as error:  # of whichever library its client uses
        if isinstance(error, OSError) and error.errno:  # of this machine: a full disk
            raise
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".:")
        raise InputError(
            f"{address}: must be reachable; {reason}. Run again to go on, or put the "
            f"file into {target.parent} yourself."
        ) from error
    Path(found).replace(target)
    return target

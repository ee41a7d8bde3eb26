"""Download large files: resumed after an interruption, checked, complete or absent."""

import hashlib
import http.client
import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path

from espnet_merge.data.hub import SCHEME, download_from_hub
from espnet_merge.disk.lock import hold
from espnet_merge.errors import InputError

# Seconds without a byte after which the connection is given up.
PATIENCE = 60
KINDS = {32: "md5", 64: "sha256"}  # by the digits of a digest


def download(address: str, target: Path, digest: str | None = None) -> Path:
    """Return ``target``, downloaded if it is not there.

    An interrupted download leaves ``<name>.part`` next to ``target``, and the next one
    resumes from it. If two processes download the same file, the second waits.

    Args:
        address: URL of the file, or of one on the hub (hub.py).
        target: path to download to.
        digest: MD5 or SHA-256 of the whole file, if its publishers give one.

    Raises:
        InputError: it cannot be downloaded, was interrupted, or is another file.
    """
    if target.exists():
        return target
    if address.startswith(SCHEME):
        print(f"data: downloading {address}", file=sys.stderr)
        return download_from_hub(address, target)
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    with hold(part):
        if target.exists():  # another process has downloaded it meanwhile
            part.unlink()
            return target
        print(f"data: downloading {address}", file=sys.stderr)
        _continue(address, part)
        if digest:
            _check(part, digest, address)
        part.replace(target)
    return target


def _continue(address: str, part: Path) -> None:
    """Append the rest of the file to ``part``; raise ``InputError`` if interrupted."""
    try:
        _append(address, part)
    except (
        urllib.error.URLError,
        http.client.HTTPException,
        ConnectionError,
        TimeoutError,
        ValueError,
    ) as error:
        raise InputError(
            f"{address}: must be reachable; {getattr(error, 'reason', error)}. Run "
            f"again to go on, or put the file into {part.parent} yourself."
        ) from error


def _append(address: str, part: Path) -> None:
    there = part.stat().st_size
    request = urllib.request.Request(address, headers={"Range": f"bytes={there}-"})
    try:
        answer = urllib.request.urlopen(request, timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        error.close()
        # The file is complete; only its renaming was interrupted.
        if error.headers.get("Content-Range") == f"bytes */{there}":
            return
        raise
    with answer:
        # A server that cannot resume sends the whole file.
        begin = there if answer.status == http.HTTPStatus.PARTIAL_CONTENT else 0
        with part.open("ab" if begin else "wb") as file:
            shutil.copyfileobj(answer, file, 1 << 20)
        total = begin + int(answer.headers.get("Content-Length", 0))
    if part.stat().st_size < total:
        raise ConnectionError(f"broke off at byte {part.stat().st_size} of {total}")


def _check(part: Path, digest: str, address: str) -> None:
    # MD5 is enough against damage, and it is what most publishers of corpora give.
    kind = KINDS[len(digest)]
    with part.open("rb") as file:
        found = hashlib.file_digest(file, kind).hexdigest()
    if found != digest:
        part.unlink()
        raise InputError(
            f"{address}: its {kind.upper()} must be {digest}; the download has "
            f"{found} and was deleted. Run again."
        )

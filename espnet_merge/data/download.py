"""Download large files: resumed after an interruption, checked, complete or absent."""

import hashlib
import http.client
import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path

from espnet_merge.disk.lock import hold
from espnet_merge.errors import InputError

# Seconds without a byte after which the connection is given up.
PATIENCE = 60


def download(address: str, target: Path, md5: str | None = None) -> Path:
    """Return ``target``, downloaded if it is not there.

    An interrupted download leaves ``<name>.part`` next to ``target``, and the next one
    resumes from it. If two processes download the same file, the second waits.

    Args:
        address: URL of the file.
        target: path to download to.
        md5: MD5 of the whole file, if its publishers give one.

    Raises:
        InputError: it cannot be downloaded, was interrupted, or is another file.
    """
    if target.exists():
        return target
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    with hold(part):
        if target.exists():  # another process has downloaded it meanwhile
            part.unlink()
            return target
        print(f"data: downloading {address}", file=sys.stderr)
        _continue(address, part)
        if md5:
            _check(part, md5, address)
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


def _check(part: Path, md5: str, address: str) -> None:
    with part.open("rb") as file:
        # MD5 is enough against damage, and it is what publishers of corpora give.
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != md5:
        part.unlink()
        raise InputError(
            f"{address}: its MD5 must be {md5}; the download has {found} and was "
            "deleted. Run again."
        )

"""Debian packages as archives of data: download, check, read. Needs no root or dpkg."""

import hashlib
import io
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from espnet_merge.disk.atomic import whole_file
from espnet_merge.errors import InputError

MIRROR = "DEBIAN_MIRROR"


@dataclass(frozen=True)
class DebianPackage:
    """One known file of Debian's archive.

    Args:
        name: of the package.
        version: the exact version, so that every user has the same corpus.
        source: the source package, which is the name of its folder on mirrors.
        sha256: of the file.
    """

    name: str
    version: str
    source: str
    sha256: str

    @property
    def file(self) -> str:
        """The file name; packages of data are the same for every architecture.

        Debian leaves the epoch of a version, as in ``1:1.4``, out of it.
        """
        return f"{self.name}_{self.version.rpartition(':')[-1]}_all.deb"


def get(package: DebianPackage, cache: Path) -> Path:
    """Return the package's file in the cache, downloaded if it is not there.

    The mirror whose base address is in ``$DEBIAN_MIRROR`` is used if that is set,
    otherwise ``apt-get``.

    Raises:
        InputError: the package cannot be downloaded, or the file is another one.
    """
    path = cache / package.file
    if not path.exists():
        print(f"data: downloading {package.file}", file=sys.stderr)
        with whole_file(path) as part:
            mirror = os.environ.get(MIRROR)
            if mirror:
                _from_mirror(package, mirror, part)
            else:
                _from_apt(package, part)
            _check(package, part)
    _check(package, path)
    return path


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file in a package, except symbolic links.

    Raises:
        InputError: the file is not a Debian package.
    """
    try:
        data = _ar_member(path.read_bytes(), "data.tar")
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for entry in archive:
                regular = entry.isreg() or entry.islnk()
                content = archive.extractfile(entry) if regular else None
                if content is not None:
                    yield entry.name.removeprefix("./"), content.read()
    except (tarfile.TarError, lzma.LZMAError, KeyError, EOFError, ValueError) as error:
        raise InputError(
            f"{path}: must be a Debian package; it is not ({error}). Delete it and "
            "run again."
        ) from error


def _ar_member(data: bytes, prefix: str) -> bytes:
    """Return the member of an ``ar`` archive whose name begins with ``prefix``."""
    magic, header = b"!<arch>\n", 60
    if not data.startswith(magic):
        raise ValueError("no ar archive")
    offset = len(magic)
    while offset + header <= len(data):
        name = data[offset : offset + 16].decode("ascii").strip()
        size = int(data[offset + 48 : offset + 58])
        offset += header
        if name.startswith(prefix):
            return data[offset : offset + size]
        # Members begin at even offsets.
        offset += size + size % 2
    raise ValueError(f"no {prefix}")


def _from_mirror(package: DebianPackage, mirror: str, part: Path) -> None:
    folder = f"pool/main/{package.source[0]}/{package.source}"
    address = f"{mirror.rstrip('/')}/{folder}/{package.file}"
    try:
        with (
            urllib.request.urlopen(address, timeout=60) as answer,
            part.open("wb") as f,
        ):
            shutil.copyfileobj(answer, f)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise InputError(
            f"{address}: must be reachable; {reason}. Check {MIRROR} and the network."
        ) from error


def _from_apt(package: DebianPackage, part: Path) -> None:
    remedy = (
        "Run 'apt-get update' as root, or set DEBIAN_MIRROR to the base address of a "
        "Debian mirror"
    )
    if shutil.which("apt-get") is None:
        raise InputError(
            f"{package.file}: there is no apt-get to download it. {remedy}."
        )
    with tempfile.TemporaryDirectory() as folder:
        # apt runs as a user that may not enter a private folder; it only warns of that.
        run = subprocess.run(
            ["apt-get", "download", "--quiet", f"{package.name}={package.version}"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        found = list(Path(folder).glob("*.deb"))
        if run.returncode or not found:
            reason = (run.stderr.strip().splitlines() or ["no file"])[-1]
            raise InputError(
                f"{package.file}: apt-get could not download it ({reason}). {remedy}."
            )
        shutil.copyfile(found[0], part)


def _check(package: DebianPackage, path: Path) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != package.sha256:
        path.unlink()
        raise InputError(
            f"{package.file}: sha256 must be {package.sha256}; the download has "
            f"{digest} and was deleted. Run again, or set {MIRROR} to a Debian mirror."
        )

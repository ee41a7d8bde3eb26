"""Published corpora: archives that are downloaded and unpacked if needed."""

import gzip
import sys
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from espnet_merge.data.download import download
from espnet_merge.disk.atomic import whole_directory
from espnet_merge.errors import InputError

SUFFIXES = (".tar.gz", ".tgz", ".tar")


@dataclass(frozen=True)
class Archive:
    """One archive of a corpus.

    Args:
        file: its path within the corpus.
        holds: path of the wanted file or directory inside the archive.
        address: URL of the archive, or of one on the hub (hub.py); None if it may
            not be redistributed.
        digest: MD5 or SHA-256 of the archive, if its publishers give one.
    """

    file: str
    holds: str
    address: str | None = None
    digest: str | None = None

    @property
    def folder(self) -> Path:
        """Directory that it is unpacked into: its path without the suffix."""
        stem = next(s for s in SUFFIXES if self.file.endswith(s))
        return Path(self.file.removesuffix(stem))


@dataclass(frozen=True)
class Corpus:
    """A corpus in a directory of the user's, or downloaded into one of ours.

    Args:
        option: name of the option that gives the user's directory, for messages.
        given: the user's directory, which is only read; empty to download.
        own: our directory, into which archives are downloaded and unpacked.
    """

    option: str
    given: str
    own: Path

    def find(self, archive: Archive) -> Path:
        """Return the path of an archive's content; download and unpack it if needed.

        Raises:
            InputError: the archive is not in the user's directory, cannot be
                downloaded, is damaged, or holds something else.
        """
        unpacked = self.own / archive.folder / archive.holds
        places = [unpacked]
        if self.given:
            parent = Path(self.given, archive.file).parent
            folder = Path(self.given) / archive.folder
            places = [parent / archive.holds, folder / archive.holds, unpacked]
        for place in places:
            if place.exists():
                return place
        unpack(self._packed(archive), self.own / archive.folder, archive.holds)
        return unpacked

    def file(self, path: str, address: str) -> Path:
        """Return a single file that is published next to the archives.

        Args:
            path: its path within the corpus.
            address: URL of the corpus, which ``path`` is relative to.

        Raises:
            InputError: it is not in the user's directory, or cannot be downloaded.
        """
        if not self.given:
            return download(f"{address}/{path}", self.own / path)
        there = Path(self.given, path)
        if not there.is_file():
            raise InputError(
                f"--{self.option} {self.given}: must hold {path}; it does not: name "
                "the directory that does, or leave the option out."
            )
        return there

    def _packed(self, archive: Archive) -> Path:
        """Return the path of the archive file, downloaded if needed."""
        if self.given:
            packed = Path(self.given, archive.file)
            if not packed.is_file():
                raise InputError(
                    f"--{self.option} {self.given}: must hold {archive.file}, or "
                    f"{archive.holds} of it, there or in {archive.folder}/; it holds "
                    "neither: name the directory that does"
                    f"{', or leave the option out' if archive.address else ''}."
                )
            return packed
        if archive.address is None:
            raise InputError(
                f"--{self.option}: must name a directory with {archive.file}, which "
                "is not for download without consent to its terms; see README.md."
            )
        return download(archive.address, self.own / archive.file, archive.digest)


def unpack(archive: Path, output: Path, holds: str) -> None:
    """Unpack a tar archive and the archives inside it, completely or not at all.

    Args:
        archive: the file.
        output: the new directory.
        holds: path that must exist in it afterwards.

    Raises:
        InputError: the file is no archive, is truncated or damaged, has paths outside
            of ``output``, or does not hold what it should.
    """
    print(f"data: unpacking {archive}", file=sys.stderr)
    with whole_directory(output) as part:
        _extract(archive, archive, part)
        if not (part / holds).exists():
            raise InputError(
                f"{archive}: must hold {holds}; it does not: it is another archive. "
                "Delete it and run again."
            )
        # Some corpora have one archive for each speaker inside their archive.
        for inner in sorted(part.rglob("*.tar.gz")):
            _extract(inner, archive, inner.parent)
            inner.unlink()


def _extract(file: Path, archive: Path, output: Path) -> None:
    try:
        with tarfile.open(file) as opened:
            opened.extractall(output, filter="data")
            # tarfile stops before gzip's checksum: read on, so that it is verified.
            while opened.fileobj and opened.fileobj.read(1 << 20):
                pass
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            f"{archive}: must be a whole archive; it is not ({error}): delete it and "
            "run again."
        ) from error

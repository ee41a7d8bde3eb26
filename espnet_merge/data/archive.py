"""Corpora as they are published: archives, downloaded and unpacked where needed."""

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
        file: its place among the others of the corpus.
        holds: the file or directory in it that is wanted.
        address: where it is published; None if nobody may pass it on.
        md5: of the archive, if its publishers say.
    """

    file: str
    holds: str
    address: str | None = None
    md5: str | None = None

    @property
    def folder(self) -> Path:
        """Its place without the suffix: what it is unpacked into."""
        stem = next(s for s in SUFFIXES if self.file.endswith(s))
        return Path(self.file.removesuffix(stem))


@dataclass(frozen=True)
class Corpus:
    """Where a corpus is: in a directory of the user's, and what is missing elsewhere.

    Args:
        option: that names the directory, for messages.
        given: the directory, which is only read; empty to download.
        own: where archives are downloaded and unpacked.
    """

    option: str
    given: str
    own: Path

    def find(self, archive: Archive) -> Path:
        """Return what an archive holds, got and unpacked if it is not there.

        Raises:
            InputError: it is not in the user's directory, cannot be downloaded, or is
                no whole archive of this content.
        """
        unpacked = self.own / archive.folder / archive.holds
        places = [unpacked]
        if self.given:
            beside = Path(self.given, archive.file).parent
            within = Path(self.given) / archive.folder
            places = [beside / archive.holds, within / archive.holds, unpacked]
        for place in places:
            if place.exists():
                return place
        unpack(self._packed(archive), self.own / archive.folder, archive.holds)
        return unpacked

    def file(self, path: str, address: str) -> Path:
        """Return a file that is published beside the archives.

        Args:
            path: its place in the corpus.
            address: of the corpus; that of the file is below it.

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
        """Return the archive itself."""
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
        return download(archive.address, self.own / archive.file, archive.md5)


def unpack(archive: Path, output: Path, holds: str) -> None:
    """Unpack a tar archive, and those in it, into a directory, whole or not at all.

    Args:
        archive: the file.
        output: the new directory.
        holds: what must be in it.

    Raises:
        InputError: the file is no archive, is cut off or damaged, names places outside
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
        # Some corpora have an archive for each speaker in their archive.
        for inner in sorted(part.rglob("*.tar.gz")):
            _extract(inner, archive, inner.parent)
            inner.unlink()


def _extract(file: Path, archive: Path, output: Path) -> None:
    try:
        with tarfile.open(file) as opened:
            opened.extractall(output, filter="data")
            # The checksum stands after what tar calls the end.
            while opened.fileobj and opened.fileobj.read(1 << 20):
                pass
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            f"{archive}: must be a whole archive; it is not ({error}): delete it and "
            "run again."
        ) from error

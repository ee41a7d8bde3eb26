"""Write Debian packages without dpkg, and without the code under test."""

import hashlib
import io
import tarfile
from pathlib import Path

from espnet_merge.data.deb import DebianPackage


def write_deb(folder: Path, name: str, files: dict[str, bytes]) -> DebianPackage:
    """Write ``name``_1_all.deb with ``files`` and return what is known of it."""
    data = _tar({f"./{path}": content for path, content in files.items()})
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": _tar({}), "data.tar.xz": data}
    packed = b"!<arch>\n"
    for part, content in parts.items():
        header = f"{part:16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n"
        packed += header.encode() + content + b"\n" * (len(content) % 2)
    package = DebianPackage(name, "1", "source", hashlib.sha256(packed).hexdigest())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / package.file).write_bytes(packed)
    return package


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        folder = tarfile.TarInfo("./usr")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("./usr/dangling")
        link.type, link.linkname = tarfile.SYMTYPE, "../elsewhere"
        archive.addfile(link)
    return buffer.getvalue()

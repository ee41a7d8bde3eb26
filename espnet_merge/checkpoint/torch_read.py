"""Read PyTorch files by memory map: only the descriptions of tensors are loaded.

A file is a zip archive whose members are not compressed, so that each tensor is a run
of bytes in it, or, from before PyTorch 1.6, pickles followed by the tensors.
"""

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from espnet_merge.checkpoint.dtypes import itemsize
from espnet_merge.checkpoint.safetensors import MAX_HEADER, Entry
from espnet_merge.checkpoint.unpickle import BROKEN, Storage, View, unpickle
from espnet_merge.errors import InputError

# The number that begins a file from before PyTorch 1.6, as a pickle.
OLD = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
# What begins every member of an archive, and the bytes up to its name.
MEMBER = b"PK\x03\x04"
LOCAL_HEADER = 30


def read_torch(path: Path) -> dict[str, Any]:
    """Return the dictionary in ``path``, each tensor as an ``Entry`` of the file.

    Raises:
        InputError: the file is missing, truncated, no PyTorch file or holds code.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the name of the checkpoint.")
    try:
        content, starts = _read_zip(path) if zipfile.is_zipfile(path) else _old(path)
    except (*BROKEN, zipfile.BadZipFile, OSError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path}: must be a whole PyTorch file of weights; it is not: {reason}."
            " Fetch it again, or save its state_dict alone."
        ) from error
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: must hold a dictionary of tensors, got"
            f" {type(content).__name__}; save the state_dict of the model."
        )
    return _place(path, starts, content, depth=2)


def tensors_of(path: Path, content: Mapping[str, Any]) -> dict[str, Entry]:
    """Return ``content`` once it is proven to be tensors, and at least one.

    Raises:
        InputError: it holds something else.
    """
    for name, entry in content.items():
        if not isinstance(entry, Entry):
            raise InputError(
                f"{path}: {name} is no tensor but {type(entry).__name__}; give a file"
                " of weights alone, such as ESPnet's 10epoch.pth or valid.*.ave.pth."
            )
    if not content:
        raise InputError(f"{path}: holds no tensor; fetch it again.")
    return dict(content)


def _place(
    path: Path, starts: Mapping[str, int], content: Mapping[Any, Any], depth: int
) -> dict[str, Any]:
    """Replace the views in ``content`` and the dictionaries right below it."""
    placed: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, View):
            dtype = value.storage.dtype
            start = starts[value.storage.key] + value.offset * itemsize(dtype)
            strides = None if value.is_contiguous else value.strides
            placed[str(key)] = Entry(dtype, value.shape, path, start, strides)
        elif isinstance(value, dict) and depth > 1:
            placed[str(key)] = _place(path, starts, value, depth - 1)
        else:
            placed[str(key)] = value
    return placed


def _read_zip(path: Path) -> tuple[Any, dict[str, int]]:
    """Return the content and the first byte of every storage."""
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        members = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in members if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ValueError(f"an archive with {len(pickles)} members data.pkl")
        root = pickles[0].removesuffix("data.pkl")
        if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
            raise ValueError("its members are compressed")
        if members[pickles[0]].file_size > MAX_HEADER:
            raise ValueError("data.pkl is too large")
        order = f"{root}byteorder"
        if order in members and archive.read(order) != b"little":
            raise ValueError("its byte order is not little")
        used: dict[str, Storage] = {}
        content = unpickle(io.BytesIO(archive.read(pickles[0])), used)
        starts = {}
        for key, storage in used.items():
            info = members[f"{root}data/{key}"]
            if info.file_size != storage.size * itemsize(storage.dtype):
                raise ValueError(f"data/{key} holds {info.file_size} bytes: {storage}")
            starts[key] = _first_byte(file, info)
    return content, starts


def _first_byte(file: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Return where the content of the member begins."""
    file.seek(info.header_offset)
    header = file.read(LOCAL_HEADER)
    if not header.startswith(MEMBER):
        raise ValueError(f"{info.filename} does not begin where the archive says")
    name, extra = struct.unpack_from("<HH", header, 26)
    start = info.header_offset + LOCAL_HEADER + int(name) + int(extra)
    if start + info.file_size > file.seek(0, io.SEEK_END):
        raise ValueError(f"{info.filename} reaches beyond the end")
    return start


def _old(path: Path) -> tuple[Any, dict[str, int]]:
    """Return the same of a file from before PyTorch 1.6."""
    with path.open("rb") as file:
        start = file.read(len(OLD))
        if start.startswith(MEMBER):
            raise ValueError("the archive is cut off")
        if start != OLD:
            raise ValueError("neither an archive nor an older PyTorch file")
        used: dict[str, Storage] = {}
        if (version := unpickle(file, used)) != 1001:
            raise ValueError(f"version {version} of the older format")
        if not unpickle(file, used)["little_endian"]:
            raise ValueError("its byte order is not little")
        content = unpickle(file, used)
        starts, end = {}, path.stat().st_size
        for key in unpickle(file, used):
            storage, size = used[key], struct.unpack("<q", file.read(8))[0]
            starts[key] = file.tell()
            stop = starts[key] + size * itemsize(storage.dtype)
            if size != storage.size or stop > end:
                raise ValueError(f"storage {key} is cut off or of another size")
            file.seek(stop)
    return content, starts

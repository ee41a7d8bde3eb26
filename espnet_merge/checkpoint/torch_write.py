"""Write PyTorch files, one tensor at a time, without PyTorch.

Source: the format at https://docs.pytorch.org/docs/stable/notes/serialization.html: a
zip archive of a pickle that describes the tensors, and their bytes as members of their
own, not compressed and aligned, so that the file can be read by memory map.
"""

import math
import pickle
import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Self

from espnet_merge.checkpoint.dtypes import itemsize
from espnet_merge.checkpoint.names import Naming
from espnet_merge.checkpoint.unpickle import STORAGES
from espnet_merge.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILES = {"openai": "model.pt", "espnet": "model.pth"}
ALIGNMENT = 64
_CLASSES = {dtype: name for name, dtype in STORAGES.items()}
# An extra field of a zip member that nobody reads; torch pads with the same one.
_PADDING = b"FB"


class TorchWriter:
    """Write the tensors of a new file in the order of ``plan``.

    Args:
        path: The file to write.
        plan: Our name to header type and shape of every tensor.
        naming: What the file calls them.
        copies: Name of each copy to the tensor that it repeats; it costs no bytes.
        dims: OpenAI's sizes; the tensors are then below 'model_state_dict'.
    """

    def __init__(
        self,
        path: Path,
        plan: Mapping[str, tuple[str, tuple[int, ...]]],
        naming: Naming,
        copies: Mapping[str, str] | None = None,
        dims: Mapping[str, int] | None = None,
    ) -> None:
        self._path = path
        self._left = iter(enumerate(plan.items()))
        self._storage: IO[bytes] | None = None
        for name, (dtype, _) in plan.items():
            if dtype not in _CLASSES:
                raise InputError(
                    f"tensor {name}: PyTorch files hold no {dtype}; use --format hf."
                )
        keys = {name: str(number) for number, name in enumerate(plan)}
        sources = {name: name for name in plan} | dict(copies or {})
        state = _dictionary(
            (naming.write(name), _tensor(keys[source], *plan[source]))
            for name, source in sources.items()
        )
        if dims is not None:
            state = _dictionary(
                [("dims", _plain(dict(dims))), ("model_state_dict", state)]
            )
        self._pickle = pickle.PROTO + b"\x02" + state + pickle.STOP
        self.total = sum(_nbytes(*spec) for spec in plan.values())

    def __enter__(self) -> Self:
        self._file = self._path.open("wb")
        self._archive = zipfile.ZipFile(self._file, "w")
        self._archive.writestr(_member("data.pkl"), self._pickle)
        self._archive.writestr(_member("byteorder"), b"little")
        return self

    def begin(self, name: str) -> None:
        """Go on to the tensor ``name``, the next of the plan."""
        number, (expected, spec) = next(self._left)
        if name != expected:
            raise AssertionError(f"planned {expected}, got {name}")
        self._close()
        member = _member(f"data/{number}")
        member.file_size = _nbytes(*spec)
        _align(self._file, member)
        self._storage = self._archive.open(member, "w")

    def put(self, bits: "NDArray[Any]") -> None:
        """Write stored bits of the tensor that was begun."""
        assert self._storage
        self._storage.write(bits.data)

    def _close(self) -> None:
        if self._storage:
            self._storage.close()

    def __exit__(self, *_: object) -> None:
        with self._file, self._archive:
            self._close()
            self._archive.writestr(_member("version"), b"3\n")


def _nbytes(dtype: str, shape: tuple[int, ...]) -> int:
    return math.prod(shape) * itemsize(dtype)


def _member(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(f"archive/{name}")


def _align(file: BinaryIO, member: zipfile.ZipInfo) -> None:
    """Pad the header of ``member``, next in ``file``, so that its content is aligned.

    Every member is padded, so that the length of the header is known beforehand. Above
    2 GiB ``zipfile`` adds a field of its own, and such a member is not aligned.
    """
    header = 30 + len(member.filename) + 4
    length = -(file.tell() + header) % ALIGNMENT
    member.extra = _PADDING + struct.pack("<H", length) + bytes(length)


# The pickle is put together from its instructions: it names classes of torch, and
# Python's pickler would have to import them.
def _plain(value: Any) -> bytes:  # noqa: ANN401 - numbers, strings, containers
    return pickle.dumps(value, protocol=2)[2:-1]


def _dictionary(items: Iterable[tuple[str, bytes]]) -> bytes:
    pairs = b"".join(_plain(key) + value for key, value in items)
    return pickle.EMPTY_DICT + pickle.MARK + pairs + pickle.SETITEMS


def _tensor(key: str, dtype: str, shape: tuple[int, ...]) -> bytes:
    strides = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    storage = _tuple(
        _plain("storage"),
        _global("torch", _CLASSES[dtype]),
        _plain(key),
        _plain("cpu"),
        _plain(math.prod(shape)),
    )
    return (
        _global("torch._utils", "_rebuild_tensor_v2")
        + _tuple(
            storage + pickle.BINPERSID,
            _plain(0),
            _plain(shape),
            _plain(strides),
            pickle.NEWFALSE,
            _global("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE,
        )
        + pickle.REDUCE
    )


def _global(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _tuple(*items: bytes) -> bytes:
    return pickle.MARK + b"".join(items) + pickle.TUPLE

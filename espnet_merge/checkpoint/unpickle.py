"""Read the pickle of a PyTorch file without running any of it.

Source: the format at https://docs.pytorch.org/docs/stable/notes/serialization.html. Of
all that a pickle may name, only what describes a tensor is known here, and each of
these names leads to a function of this file: nothing else is ever imported or called.
"""

import math
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, NamedTuple

# storage class in the pickle -> header type of safetensors
STORAGES = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}


# Both are tuples, which no instruction of a pickle can change once they are checked.
class Storage(NamedTuple):
    """A run of numbers in the file, by its key."""

    key: str
    dtype: str
    size: int


class View(NamedTuple):
    """A tensor: where in its storage it begins, and how it steps through it."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def is_contiguous(self) -> bool:
        """Whether the entries lie one after another."""
        step = 1
        for side, stride in zip(
            reversed(self.shape), reversed(self.strides), strict=True
        ):
            if side != 1 and stride != step:
                return False
            step *= side
        return True


# What a malformed pickle can raise.
BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    MemoryError,
    RecursionError,
    ImportError,
    struct.error,
)


def unpickle(file: BinaryIO, storages: dict[str, Storage]) -> Any:  # noqa: ANN401
    """Return the next object of ``file``, every tensor as a ``View``.

    Args:
        file: stands where the pickle begins, and then behind its end.
        storages: gets every storage that is referred to, by its key.

    Raises:
        pickle.UnpicklingError: it names anything but tensors and their containers;
            other errors of ``BROKEN`` where the pickle is malformed.
    """
    unpickler = _TensorUnpickler(file)
    unpickler.storages = storages
    return unpickler.load()


class _TensorUnpickler(pickle.Unpickler):
    """Knows tensors, numbers, strings and containers."""

    storages: dict[str, Storage]

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(
            f"it asks for {module}.{name}, and only tensors are read, code never run"
        )

    def persistent_load(self, pid: Any) -> Storage:  # noqa: ANN401
        kind, dtype, key, _, size, *_ = pid
        if kind != "storage" or dtype not in STORAGES.values():
            raise pickle.UnpicklingError(f"it refers to a {kind!r} of {dtype!r}")
        if type(size) is not int or size < 0 or type(key) is not str:
            raise pickle.UnpicklingError(f"storage {key!r} has size {size!r}")
        storage = Storage(key, dtype, size)
        if self.storages.setdefault(key, storage) != storage:
            raise pickle.UnpicklingError(f"storage {key} is of two types or sizes")
        return storage


def _view(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> View:  # noqa: ANN401
    """Describe what torch would build, once it is proven to lie in its storage."""
    view = View(storage, offset, tuple(shape), tuple(strides))
    numbers = (offset, *view.shape, *view.strides)
    last = sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    size = math.prod(view.shape)
    if (
        not isinstance(storage, Storage)
        or not all(type(number) is int and number >= 0 for number in numbers)
        or (size and offset + last >= storage.size)
        or size > storage.size
    ):
        raise pickle.UnpicklingError(f"a tensor is not inside its storage: {view}")
    return view


def _parameter(view: View, *_: Any) -> View:  # noqa: ANN401
    return view


_KNOWN: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch", "Size"): tuple,
    ("torch._utils", "_rebuild_tensor_v2"): _view,
    ("torch._utils", "_rebuild_parameter"): _parameter,
}

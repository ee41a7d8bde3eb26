"""Write a file so that whatever has its name is complete."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a name beside ``path`` to write to; it becomes ``path`` at the end.

    When the block fails, nothing is left and an older ``path`` is as it was. The
    temporary name keeps the suffix, because some writers choose a format by it.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "deep" / "text"
    >>> with whole_file(target) as part:
    ...     _ = part.write_text("all of it")
    >>> target.read_text(), [file.name for file in target.parent.iterdir()]
    ('all of it', ['text'])
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)

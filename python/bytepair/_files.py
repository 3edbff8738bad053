"""Files on disk: read whole within a limit, written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from bytepair.errors import FormatError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 512 * 2**20


def read(path: str | os.PathLike[str], *, stop_at: bytes = b"") -> bytes:
    """Return the bytes of a file that holds a tokenizer; of one that begins with `stop_at`, these only.

    Raises
    ------
    FormatError
        It is larger than 512 MiB, so it holds something else.
    OSError
        It cannot be read.
    """
    with open(path, "rb") as file:
        data = file.read(len(stop_at))
        if not data or data != stop_at:
            data += file.read(MAX_BYTES + 1 - len(data))
    if len(data) > MAX_BYTES:
        raise FormatError(f"larger than {MAX_BYTES // 2**20} MiB, which no tokenizer is").within(path)
    return data


def as_path(path: str | os.PathLike[str]) -> Path:
    """Return a path as one that can be asked; `pathlib` is not imported before, being a fifth of `import bytepair`."""
    from pathlib import Path

    return Path(path)


def target(path: str | os.PathLike[str]) -> Path:
    """Return the file that writing to `path` replaces, which is another one where `path` is a symbolic link.

    Raises
    ------
    OSError
        It exists and is no regular file: a folder, a pipe or a device cannot be replaced.
    """
    real = as_path(os.path.realpath(path))
    try:
        mode = real.stat().st_mode
    except FileNotFoundError:
        return real
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file, so it cannot be replaced", os.fspath(path))
    return real


def write(files: Mapping[Path, str | bytes]) -> None:
    """Write files so that each is, at any moment, the old one or the whole new one.

    Each is written and flushed under another name in its folder, and takes its own name only when all are complete. A
    crash between two of the names leaves some files new and some old, but none cut off.
    """
    import tempfile

    targets = [(target(path), text) for path, text in files.items()]
    parts: list[tuple[str, Path]] = []
    try:
        for path, text in targets:
            handle, part = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
            parts.append((part, path))
            with open(handle, "wb") as file:
                file.write(text.encode() if isinstance(text, str) else text)
                file.flush()
                os.fsync(file.fileno())
        for part, path in parts:
            as_path(part).chmod(_mode(path))
            os.replace(part, path)
    except BaseException:
        for part, _ in parts:
            as_path(part).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Lend a new, empty file in the folder of `path` that takes its place at the end.

    Whoever fills it also brings it to the disk. If something is raised, it vanishes.
    """
    import tempfile

    path = target(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    part = as_path(name)
    try:
        yield part
        part.chmod(_mode(path))
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _mode(path: Path) -> int:
    """Return the mode of the file that is replaced, or what a new file would get."""
    if path.exists():
        return path.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask

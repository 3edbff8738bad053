"""Rows of files in batches, read ahead, and texts that are decompressed as they are read."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from bytepair import _core
from bytepair.errors import FormatError
from bytepair.sources import Skipped

if TYPE_CHECKING:
    from types import ModuleType

    from bytepair.sources import Files, Source

# What is read of a file at a time. Each file that is read ahead holds one block, and its texts.
BLOCK_BYTES = 4 * 2**20

# A line that is longer is an error: it would have to be held whole.
MAX_LINE_BYTES = 2**30

ZSTD = "zstd is read with the package backports.zstd: pip install 'bytepair[zstd]'"
ARROW = "Parquet and Arrow files are read with the package pyarrow: pip install 'bytepair[arrow]'"


class Batch(NamedTuple):
    """Some documents of a file."""

    # What the core takes as a batch: rows of JSON or an Arrow array, whose texts are no objects of Python.
    texts: Any
    # The bytes of the texts.
    n_bytes: int
    # What they are of the file as it lies on the disk.
    size: int
    skipped: Skipped = Skipped()
    # The name of the file and its SHA-256, where it is asked for and this is the last of it.
    content: tuple[str, bytes] | None = None


Batches: TypeAlias = Generator[Batch, None, None]


def check(source: Source) -> None:
    """Raise where a package is missing that reads such a file."""
    if source.format in ("parquet", "arrow"):
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise ImportError(ARROW) from None
        if source.size is None:
            raise FormatError(f"a pipe cannot be read as {source.format}, which starts at its end").within(source.path)
    if source.compression == ".zst":
        _zstd()


def _zstd() -> ModuleType:
    import importlib

    # Python has it from 3.14 on.
    for name in ("compression.zstd", "backports.zstd"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    raise ImportError(ZSTD)


class Bytes:
    """The bytes of a file, decompressed, and how many of the file were read for them."""

    def __init__(self, source: Source, notes_content: bool = False) -> None:
        self._source = source
        self._raw = _Digested(source.path) if notes_content else io.FileIO(source.path)
        self._buffer = io.BufferedReader(self._raw)
        self._file: Any = self._buffer
        self._damaged: tuple[type[Exception], ...] = ()
        if source.compression == ".gz":
            import gzip
            import zlib

            self._file = gzip.GzipFile(fileobj=self._buffer)
            self._damaged = (gzip.BadGzipFile, EOFError, zlib.error)
        elif source.compression == ".zst":
            zstd = _zstd()
            self._file = zstd.ZstdFile(self._buffer)
            self._damaged = (zstd.ZstdError, EOFError)
        self._is_begun = False
        self._n_read = 0
        self._position = 0

    def __enter__(self) -> Bytes:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._buffer.close()

    def read(self) -> bytes:
        """Return the next block, which is empty at the end only.

        Raises
        ------
        FormatError
            What is compressed is damaged, or ends too early.
        OSError
            The file cannot be read.
        """
        try:
            if not self._is_begun:
                self._is_begun = True
                # For the decompressors it is no members, one after the other.
                if self._source.compression and not self._buffer.peek(1):
                    raise EOFError("the file is empty")
            block: bytes = self._file.read(BLOCK_BYTES)
        except self._damaged as error:
            place = f"byte {self._n_read} of what it decompresses to"
            kind = self._source.compression[1:]
            raise FormatError(f"the {kind} is damaged or cut off after {place}: {error}", place).within(
                self._source.path
            ) from None
        except OSError as error:
            error.filename = error.filename or self._source.path
            raise
        self._n_read += len(block)
        return block

    def progress(self) -> int:
        """Return how many bytes of the file were read since the last call."""
        before = self._position
        # What is no regular file cannot tell.
        self._position = self._n_read if self._source.size is None else min(self._raw.tell(), self._source.size)
        return self._position - before

    def content(self) -> tuple[str, bytes] | None:
        """Return name and digest of the file, where they are noted and it is not empty."""
        if isinstance(self._raw, _Digested) and self._n_read:
            return self._source.path, self._raw.digest.digest()
        return None


class _Digested(io.FileIO):
    """A file whose digest is taken while it is read from start to end."""

    def __init__(self, path: str) -> None:
        import hashlib

        super().__init__(path)
        self.digest = hashlib.sha256()

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401
        n_read = super().readinto(buffer)
        self.digest.update(memoryview(buffer)[:n_read])
        return n_read


def lines(source: Source, files: Files, notes_content: bool) -> Batches:
    """Yield the texts of JSON lines."""
    strict = files.on_error == "raise"
    line, first = 1, True
    # Of a line that goes on in the next block.
    parts: list[bytes] = []
    n_parts = 0
    with Bytes(source, notes_content) as file:
        at_end = False
        while not at_end:
            block = file.read()
            at_end = not block
            cut = len(block) if at_end else block.rfind(b"\n") + 1
            if not cut and not at_end:
                parts.append(block)
                n_parts += len(block)
                if n_parts > MAX_LINE_BYTES:
                    place = f"line {line}"
                    raise FormatError(f"{place}: longer than {MAX_LINE_BYTES} bytes", place).within(source.path)
                continue
            rows = _core.JsonLines(b"".join([*parts, block[:cut]]), files.text_field, first=first, strict=strict)
            parts, n_parts = [block[cut:]], len(block) - cut
            reasons = []
            for row, column, reason in rows.errors:
                place = f"line {line + row - 1}, column {column}"
                if strict:
                    hint = "on_error='skip' leaves such rows out"
                    raise FormatError(f"{place}: {reason} ({hint})", place).within(source.path)
                reasons.append(f"{source.path}: {place}: {reason}")
            line, first = line + rows.n_lines, False
            content = file.content() if at_end else None
            yield Batch(rows, rows.n_bytes, file.progress(), Skipped(rows.n_errors, tuple(reasons)), content)


def batches(source: Source, files: Files, notes_content: bool = False) -> Batches:
    """Yield the rows of a file that is no text."""
    if source.format == "jsonl":
        return lines(source, files, notes_content)
    from bytepair import _columns

    return _columns.batches(source, files, notes_content)


def ahead(sources: list[Source], files: Files, n_readers: int, notes_content: bool) -> Batches:
    """Yield the rows of files, of as many at a time as there are readers: each reads one batch ahead.

    A batch of each comes in turn, so that they come in the same order each time, and with them the first error.
    """
    # What is no regular file may keep a reader waiting for ever, and with it whoever ends the reading.
    waits = [source for source in sources if source.size is None]
    readers = (batches(source, files, notes_content) for source in sources if source.size is not None)
    for source in waits:
        yield from batches(source, files, notes_content)
    if n_readers <= 1:
        yield from itertools.chain.from_iterable(readers)
        return
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(n_readers, "bytepair-reader")
    begun = deque((reader, pool.submit(next, reader, None)) for reader in itertools.islice(readers, n_readers))
    try:
        while begun:
            reader, future = begun[0]
            batch = future.result()
            begun.popleft()
            following = next(readers, None) if batch is None else reader
            if following is not None:
                begun.append((following, pool.submit(next, following, None)))
            if batch is not None:
                yield batch
    finally:
        pool.shutdown(cancel_futures=True)
        # No thread reads any more: the files can be closed.
        for reader, _ in begun:
            reader.close()


def documents(files: Files) -> Iterator[bytes]:
    """Yield the documents of files in order."""
    skipped = Skipped()
    for source in files.sources():
        if source.format == "text":
            with Bytes(source) as file:
                yield b"".join(iter(file.read, b""))
            continue
        for batch in batches(source, files):
            skipped = skipped.plus(batch.skipped)
            if isinstance(batch.texts, _core.JsonLines):
                yield from batch.texts.to_list()
            else:
                yield from batch.texts.cast("large_binary").to_pylist()
    skipped.warn(3)


@contextlib.contextmanager
def decompressed(source: Source, tell: Callable[[int, int], None]) -> Iterator[str]:
    """Lend a path, that of a pipe into which another thread writes what a file decompresses to.

    `tell` hears how many bytes of the file were read, and how many it wrote.

    Raises
    ------
    FormatError
        What is compressed is damaged: in the end, after whatever else went wrong.
    """
    import threading

    read_end, write_end = os.pipe()
    failed: list[BaseException] = []

    def write() -> None:
        try:
            # N.B. in this order: where the file cannot be opened, the pipe is closed, and whoever reads it goes on.
            with open(write_end, "wb", buffering=0) as pipe, Bytes(source) as file:
                while block := file.read():
                    tell(file.progress(), len(block))
                    rest = memoryview(block)
                    while rest:
                        rest = rest[pipe.write(rest) :]
        except BrokenPipeError:
            # Whoever read has stopped.
            pass
        except BaseException as error:
            failed.append(error)

    writer = threading.Thread(target=write, name="bytepair-decompress", daemon=True)
    writer.start()
    try:
        yield f"/dev/fd/{read_end}"
    finally:
        os.close(read_end)
        writer.join()
    if failed:
        raise failed[0]

"""The forms a corpus can have, brought to one: pretokens counted."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bytepair import _core
from bytepair.errors import TrainingError

if TYPE_CHECKING:
    from bytepair._types import Corpus

# Documents are handed to the core in batches of about this many bytes: large enough to share between threads, small
# enough that Ctrl-C and progress come between two of them.
BATCH_BYTES = 8 * 2**20


# A file of this many bytes or more is read in blocks, which threads share. Smaller ones are read whole, so that threads
# share many of them.
LARGE_BYTES = 2**20

_NOTHING = object()


def count_into(counter: _core.Counter, corpus: Corpus | object) -> None:
    """Count the pretokens of a corpus in any of its forms."""
    items = items_of(corpus)
    first = next(items, _NOTHING)
    if isinstance(first, os.PathLike):
        _count_files(counter, [first, *items])
    elif first is not _NOTHING:
        _count_documents(counter, itertools.chain([first], items))


def items_of(corpus: Corpus | object) -> Iterator[object]:
    """Return the paths or documents of a corpus in any of its forms; their types are not checked."""
    single = os.PathLike, str, bytes, bytearray, memoryview
    items: Iterator[object]
    if isinstance(corpus, single):
        items = iter([corpus])
    elif isinstance(corpus, Iterable):
        items = iter(corpus)
    else:
        kind = type(corpus).__name__
        raise TypeError(f"the corpus must be a path, a text, or an iterable of paths or texts, not {kind}")
    first = next(items, _NOTHING)
    if isinstance(first, str) and _is_a_name(first):
        what = "the corpus" if isinstance(corpus, str) else "the first document"
        message = f"{what} is a str that names an existing file or folder: pass Path({first!r}) to train on a file"
        raise TrainingError(f"{message}, or {first.encode()!r} to train on these few characters")
    return items if first is _NOTHING else itertools.chain([first], items)


def _is_a_name(text: str) -> bool:
    # N.B. `Path.exists` raises where the text is too long for a name, or lies in a folder that may not be read.
    return 0 < len(text) < 4096 and os.path.exists(text)  # noqa: PTH110


def _count_files(counter: _core.Counter, paths: list[object]) -> None:
    files: list[tuple[str, int | None]] = []
    for index, path in enumerate(paths):
        if not isinstance(path, os.PathLike):
            raise TypeError(f"item {index} of the corpus is a {type(path).__name__}, but the items before are paths")
        status = os.stat(path)  # noqa: PTH116
        # What is no regular file, such as a pipe, has no size before it is read.
        files.append((os.fsdecode(path), status.st_size if stat.S_ISREG(status.st_mode) else None))
    sizes = [size for _, size in files if size is not None]
    total = sum(sizes) if len(sizes) == len(files) else None
    batch: list[bytes] = []
    n_batch = 0
    for name, size in files:
        if size is None or size >= LARGE_BYTES:
            counter.add_file(name, total)
            continue
        batch.append(Path(name).read_bytes())
        n_batch += len(batch[-1])
        if n_batch >= BATCH_BYTES:
            counter.add_files(batch, total)
            batch, n_batch = [], 0
    counter.add_files(batch, total)


def _count_documents(counter: _core.Counter, documents: Iterator[object]) -> None:
    batch: list[str | bytes] = []
    n_batch, index = 0, -1
    for index, document in enumerate(documents):
        if isinstance(document, str | bytes):
            batch.append(document)
        elif isinstance(document, bytearray | memoryview):
            batch.append(bytes(document))
        else:
            kind = type(document).__name__
            raise TypeError(f"document {index} of the corpus is a {kind}, not str or bytes")
        n_batch += len(document)
        if n_batch >= BATCH_BYTES:
            counter.add_documents(batch, index + 1 - len(batch), None)
            batch, n_batch = [], 0
    counter.add_documents(batch, index + 1 - len(batch), None)

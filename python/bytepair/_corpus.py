"""The forms a corpus can have, brought to one: pretokens counted."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bytepair import _core
from bytepair.errors import TrainingError

if TYPE_CHECKING:
    from bytepair._types import Corpus, Progress

# Documents are handed to the core in batches of about this many bytes: large enough to share between threads, small
# enough that Ctrl-C and progress come between two of them.
BATCH_BYTES = 8 * 2**20


def count_into(
    counts: _core.Counts, corpus: Corpus | object, num_threads: int | None, progress: Progress | None
) -> None:
    """Count the pretokens of a corpus in any of its forms."""
    if isinstance(corpus, str) and _names_a_file(corpus):
        message = f"the corpus is a str that names an existing file: pass Path({corpus!r}) to train on the file"
        raise TrainingError(f"{message}, or [{corpus!r}] to train on these few characters")
    single = os.PathLike, str, bytes, bytearray, memoryview
    items: Iterator[object]
    if isinstance(corpus, single):
        items = iter([corpus])
    elif isinstance(corpus, Iterable):
        items = iter(corpus)
    else:
        kind = type(corpus).__name__
        raise TypeError(f"the corpus must be a path, a text, or an iterable of paths or texts, not {kind}")
    first = next(items, None)
    if isinstance(first, os.PathLike):
        _count_files(counts, [first, *items], num_threads, progress)
    elif first is not None:
        _count_documents(counts, _chain(first, items), num_threads, progress)


def _names_a_file(text: str) -> bool:
    return 0 < len(text) < 4096 and "\0" not in text and "\n" not in text and Path(text).is_file()


def _chain(first: object, rest: Iterator[object]) -> Iterator[object]:
    yield first
    yield from rest


def _count_files(counts: _core.Counts, paths: list[object], num_threads: int | None, progress: Progress | None) -> None:
    sizes = []
    for index, path in enumerate(paths):
        if not isinstance(path, os.PathLike):
            raise TypeError(f"item {index} of the corpus is a {type(path).__name__}, but the items before are paths")
        sizes.append(Path(path).stat().st_size)
    before = 0
    for path, size in zip(paths, sizes, strict=True):
        counts.add_file(os.fspath(path), num_threads, progress, before, sum(sizes))  # type: ignore[call-overload]
        before += size


def _count_documents(
    counts: _core.Counts, documents: Iterator[object], num_threads: int | None, progress: Progress | None
) -> None:
    batch: list[str | bytes] = []
    n_batch, before, index = 0, 0, -1
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
            counts.add_documents(batch, index + 1 - len(batch), num_threads, progress, before)
            before += n_batch
            batch, n_batch = [], 0
    counts.add_documents(batch, index + 1 - len(batch), num_threads, progress, before)

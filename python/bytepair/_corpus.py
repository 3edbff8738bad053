"""The forms a corpus can have, brought to one: pretokens counted."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from bytepair import _core
from bytepair._processors import n_processors
from bytepair.errors import TrainingError
from bytepair.sources import Files, Skipped

if TYPE_CHECKING:
    from bytepair._types import Corpus, Progress
    from bytepair.sources import Source

# Small files are handed to the core in batches of about this many bytes: large enough to share between threads, small
# enough that Ctrl-C and progress come between two of them.
BATCH_BYTES = 8 * 2**20


# A file of this many bytes or more is read in blocks, which threads share. Smaller ones are read whole, so that threads
# share many of them.
LARGE_BYTES = 2**20

# More files are not read ahead at the same time, on however many processors: each holds a block and its texts.
MAX_READERS = 8

_NOTHING = object()


class Meter:
    """Tells a progress callback of the bytes of files, where the core counts bytes of the texts in them."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._in_files = False
        self._total: int | None = None
        # Bytes of files, and of text, before what is now being counted; and its own.
        self._before = self._text_before = 0
        self._size = self._n_bytes = 0
        self._is_pipe = False
        self._told = -1

    def begin(self, sizes: list[int | None]) -> None:
        """Count the bytes of files from now on."""
        known = [size for size in sizes if size is not None]
        self._total = sum(known) if len(known) == len(sizes) else None
        self._in_files = True

    def hand(self, size: int | None, n_bytes: int) -> None:
        """Note that the core is now given so much of a file, and so many bytes of text; or a pipe, that has no size."""
        self._before += self._size
        self._text_before += self._n_bytes
        self._is_pipe = size is None
        self._size, self._n_bytes = size or 0, n_bytes

    def grow(self, size: int, n_bytes: int) -> None:
        """Note that what the core was given last has become more."""
        self._size, self._n_bytes = self._size + size, self._n_bytes + n_bytes

    def end(self) -> None:
        """Tell where the counting ended."""
        if self._is_pipe:
            return
        self._n_bytes = 0
        if self._told != self._before + self._size:
            self("counting", 0, None)

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Hear from the core."""
        if stage == "counting" and self._in_files:
            if self._is_pipe:
                self._size = self._n_bytes = done - self._text_before
            share = min(max(done - self._text_before, 0), self._n_bytes)
            done = self._before + (self._size * share // self._n_bytes if self._n_bytes else self._size)
            self._told, total = done, self._total
        self._progress(stage, done, total)


def count(
    counts: _core.Counts,
    corpus: Corpus | object,
    num_threads: int | None,
    progress: Progress | None,
    *,
    shard: str | None = None,
    notes_files: bool = False,
) -> Skipped:
    """Count a corpus in any of its forms, all of it or nothing, and return what was left out of its files.

    It is noted as the shard `shard`; or each of its files by its content.
    """
    meter = Meter(progress) if progress else None
    counter = counts.counter(num_threads, meter, notes_files)
    if shard is not None:
        counter.add_shard(shard)
    skipped = Skipped()
    parts = parts_of(corpus)
    if isinstance(parts, Files):
        skipped = _count_files(counter, parts, num_threads, meter, notes_files)
    else:
        _count_documents(counter, parts)
    counter.commit()
    return skipped


def parts_of(corpus: Corpus | object) -> Files | Iterator[Any]:
    """Return the files of a corpus in any of its forms; or its documents and arrays, whose types are not checked."""
    single = os.PathLike, str, bytes, bytearray, memoryview
    items: Iterator[object]
    if isinstance(corpus, Files):
        return corpus
    if isinstance(corpus, single) or _is_arrow(corpus):
        items = iter([corpus])
    elif isinstance(corpus, Iterable):
        items = iter(corpus)
    else:
        kind = type(corpus).__name__
        raise TypeError(f"the corpus must be a path, a text, or an iterable of paths or texts, not {kind}")
    first = next(items, _NOTHING)
    if first is _NOTHING:
        return items
    if isinstance(first, str) and _is_a_name(first):
        what = "the corpus" if isinstance(corpus, str) else "the first document"
        message = f"{what} is a str that names an existing file or folder: pass Path({first!r}) to train on a file"
        raise TrainingError(f"{message}, or {first.encode()!r} to train on these few characters")
    items = itertools.chain([first], items)
    return _files(list(items)) if isinstance(first, os.PathLike) else items


def documents_of(corpus: Corpus | object) -> Iterator[Any]:
    """Return the documents of a corpus in any of its forms, one by one; their types are not checked."""
    part: Any
    for part in parts_of(corpus):
        if _is_arrow(part) and part.null_count:
            at = part.is_null().index(True).as_py()
            raise TypeError(f"a document must be str or bytes, not the null at index {at} of an Arrow array")
        yield from texts_of(part)


def texts_of(part: Any) -> Iterable[Any]:  # noqa: ANN401
    """Return the texts of an Arrow array, or the only one of a document."""
    texts: Iterable[Any] = part.cast("large_binary").to_pylist() if _is_arrow(part) else (part,)
    return texts


def _is_a_name(text: str) -> bool:
    # N.B. `Path.exists` raises where the text is too long for a name, or lies in a folder that may not be read.
    return 0 < len(text) < 4096 and os.path.exists(text)  # noqa: PTH110


def _is_arrow(item: object) -> bool:
    # Where nobody has imported pyarrow, nothing is an array of it.
    pyarrow = sys.modules.get("pyarrow")
    return pyarrow is not None and isinstance(item, pyarrow.Array | pyarrow.ChunkedArray)


def _files(paths: list[object]) -> Files:
    for index, path in enumerate(paths):
        if not isinstance(path, os.PathLike):
            raise TypeError(f"item {index} of the corpus is a {type(path).__name__}, but the items before are paths")
    return Files(paths)  # type: ignore[arg-type]


def _count_files(
    counter: _core.Counter, files: Files, num_threads: int | None, meter: Meter | None, notes_files: bool
) -> Skipped:
    from bytepair import _readers

    # Nobody listens to this one.
    meter = meter or Meter(lambda *_: None)
    sources = files.sources()
    meter.begin([source.size for source in sources])
    _count_texts(counter, [source for source in sources if source.format == "text"], meter)
    rows = [source for source in sources if source.format != "text"]
    skipped = Skipped()
    n_readers = min(num_threads or n_processors(), MAX_READERS)
    with contextlib.closing(_readers.ahead(rows, files, n_readers, notes_files)) as batches:
        for batch in batches:
            skipped = skipped.plus(batch.skipped)
            meter.hand(batch.size, batch.n_bytes)
            counter.add_documents(batch.texts, 0, None)
            if batch.content is not None:
                path, digest = batch.content
                with _named(path):
                    counter.add_shard(digest)
    meter.end()
    return skipped


def _count_texts(counter: _core.Counter, sources: list[Source], meter: Meter) -> None:
    from bytepair import _readers

    batch: list[bytes] = []
    n_batch = 0

    def count_batch() -> None:
        nonlocal n_batch
        meter.hand(n_batch, n_batch)
        counter.add_files(batch, None)
        batch.clear()
        n_batch = 0

    for source in sources:
        if source.compression:
            meter.hand(0, 0)
            with _readers.decompressed(source, meter.grow) as pipe, _named(source.path):
                counter.add_file(pipe, None)
        elif source.size is None or source.size >= LARGE_BYTES:
            meter.hand(source.size, source.size or 0)
            with _named(source.path):
                counter.add_file(source.path, source.size)
        else:
            with open(source.path, "rb") as file:
                batch.append(file.read())
            n_batch += len(batch[-1])
            if n_batch >= BATCH_BYTES:
                count_batch()
    count_batch()


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    """Say of which file it is that it was counted before."""
    try:
        yield
    except TrainingError as error:
        raise TrainingError(f"{path}: {error}") from None


def _count_documents(counter: _core.Counter, documents: Iterator[Any]) -> None:
    index = 0
    while True:
        n_counted, other = counter.add_next(documents, index)
        index += n_counted
        if other is not None:
            _count_other(counter, other[0], index)
            index += 1
        elif n_counted == 0:
            return


def _count_other(counter: _core.Counter, document: object, index: int) -> None:
    if isinstance(document, bytearray | memoryview):
        counter.add_documents([bytes(document)], index, None)
    elif _is_arrow(document):
        # Its texts never become objects of Python.
        counter.add_documents(document, 0, None)
    else:
        kind = type(document).__name__
        hint = "; pass the text of each row: (row['text'] for row in rows)" if isinstance(document, dict) else ""
        raise TypeError(f"document {index} of the corpus is a {kind}, not str or bytes{hint}")

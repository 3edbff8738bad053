"""Which files a corpus lies in, and what is in them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple, get_args

from bytepair._types import OnError, SourceFormat
from bytepair.errors import TrainingError

__all__ = ["Files"]

# What a name ends with, and what is in the file. Everything else is a text.
_FORMATS: dict[str, SourceFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}
_COMPRESSED = (".gz", ".zst")

# So many rows that were left out are named.
MAX_NAMED = 10


class Source(NamedTuple):
    """One file."""

    path: str
    format: SourceFormat
    # What the name ends with, or "".
    compression: str
    # None for what is no regular file, such as a pipe: it has no size before it is read.
    size: int | None


class Skipped(NamedTuple):
    """Rows that were left out."""

    n_rows: int = 0
    # What was wrong with the first few.
    reasons: tuple[str, ...] = ()

    def plus(self, other: Skipped) -> Skipped:
        return Skipped(self.n_rows + other.n_rows, (*self.reasons, *other.reasons)[:MAX_NAMED])

    def warn(self, stacklevel: int) -> None:
        """Say that rows were left out, where some were."""
        import warnings

        if self.n_rows:
            rows = "1 row was" if self.n_rows == 1 else f"{self.n_rows} rows were"
            warnings.warn(f"{rows} left out, first {self.reasons[0]}", UserWarning, stacklevel=stacklevel + 1)


class Files:
    r"""Files of documents: a corpus, wherever one is taken, and an iterable of its documents as bytes.

    A text file is one document, a row of the others is one. A path alone, as a corpus, stands for ``Files(path)``.

    Parameters
    ----------
    paths : str, path, or iterable of them
        The files. Here a `str` is a path.
    format : {"text", "jsonl", "parquet", "arrow"}, optional
        What is in them; by default the name says it: ``.jsonl`` and ``.ndjson`` are JSON lines, ``.parquet`` is
        Parquet, ``.arrow`` and ``.feather`` are Arrow's files and streams, and all else is text. A name that ends in
        ``.json`` could be either, and is refused without a format. What ends in ``.gz`` or ``.zst`` is decompressed,
        and named by what is before that.
    text_field : str, default "text"
        The field of a JSON row, or the column, that holds the document.
    on_error : {"raise", "skip"}, default "raise"
        What to do with a row without a document: that is no JSON, lacks the field, or has null or another type there.
        Those left out are counted in the training report, and named in a `UserWarning`.

    Raises
    ------
    TrainingError
        An argument is unknown, or a name leaves open what is in the file.

    Notes
    -----
    Files are read in blocks: memory depends on the longest row, and for Arrow on the batches that a file was written
    with, not on the size of files. Iterating holds a text file whole. Parquet and Arrow need
    ``pip install 'bytepair[arrow]'``, zstd before Python 3.14 ``pip install 'bytepair[zstd]'``.

    Examples
    --------
    >>> import bytepair, json, pathlib, tempfile
    >>> rows = ["low low", "lower lowest"]
    >>> path = pathlib.Path(tempfile.mkdtemp(), "rows.jsonl")
    >>> _ = path.write_text("".join(json.dumps({"body": row}) + "\n" for row in rows))
    >>> files = bytepair.Files(path, text_field="body")
    >>> list(files)
    [b'low low', b'lower lowest']
    >>> bytepair.Tokenizer.train(files, vocab_size=259).merges
    [(b'l', b'o'), (b'lo', b'w')]
    """

    __slots__ = ("format", "on_error", "paths", "text_field")

    paths: tuple[str, ...]
    format: SourceFormat | None
    text_field: str
    on_error: OnError

    def __init__(
        self,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        format: SourceFormat | None = None,
        text_field: str = "text",
        on_error: OnError = "raise",
    ) -> None:
        if format is not None and format not in get_args(SourceFormat):
            raise TrainingError(f"format must be one of {', '.join(get_args(SourceFormat))}, not {format!r}")
        if on_error not in get_args(OnError):
            raise TrainingError(f"on_error must be 'raise' or 'skip', not {on_error!r}")
        if not isinstance(text_field, str):
            raise TypeError(f"text_field must be a str, not {type(text_field).__name__}")
        one = isinstance(paths, str | os.PathLike)
        names = tuple(_name(path) for path in ([paths] if one else paths))  # type: ignore[union-attr]
        for name, value in (("paths", names), ("format", format), ("text_field", text_field), ("on_error", on_error)):
            object.__setattr__(self, name, value)
        for name in names:
            self._of(name)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"files cannot be changed; make others with {name}={value!r}")

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (self.paths, self.format, self.text_field, self.on_error)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Files) and self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return hash(self.__reduce__())

    def __repr__(self) -> str:
        shown = repr(list(self.paths[:3]))
        if len(self.paths) > 3:
            shown = f"{shown[:-1]}, ... {len(self.paths) - 3} more]"
        return f"Files({shown}, format={self.format!r}, text_field={self.text_field!r}, on_error={self.on_error!r})"

    def __iter__(self) -> Iterator[bytes]:
        from bytepair import _readers

        yield from _readers.documents(self)

    def with_paths(self, paths: Iterable[str | os.PathLike[str]]) -> Files:
        """Return other files that are read as these are."""
        return Files(paths, format=self.format, text_field=self.text_field, on_error=self.on_error)

    def sources(self) -> list[Source]:
        """Return the files, after a look at each: it is there, is no folder, and what reads it is installed.

        Raises
        ------
        OSError
            A file is not there, or is a folder.
        ImportError
            A package that reads such a file is not installed; it says which.
        """
        from bytepair import _readers

        sources = []
        for name in self.paths:
            kind, compression = self._of(name)
            status = os.stat(name)  # noqa: PTH116
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(f"{name} is a folder; name the files in it")
            source = Source(name, kind, compression, status.st_size if stat.S_ISREG(status.st_mode) else None)
            _readers.check(source)
            sources.append(source)
        return sources

    def _of(self, name: str) -> tuple[SourceFormat, str]:
        """Return format and compression of a file, by its name."""
        stem, compression = os.path.splitext(name)  # noqa: PTH122
        if compression.lower() in _COMPRESSED:
            compression = compression.lower()
        else:
            stem, compression = name, ""
        suffix = os.path.splitext(stem)[1].lower()  # noqa: PTH122
        if self.format is None and suffix == ".json":
            raise TrainingError(
                f"{name} may hold a row on each line, or not: pass Files(..., format='jsonl') to read a field of each "
                "row, or format='text' to take the file as it is"
            )
        kind = self.format or _FORMATS.get(suffix, "text")
        if compression and kind in ("parquet", "arrow"):
            raise TrainingError(f"{name}: a {kind} file is read from several places at once; decompress it first")
        return kind, compression


def _name(path: object) -> str:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"paths must be a path or an iterable of paths, and {path!r:.80} is none")
    return os.fsdecode(path)


def _rebuilt(paths: tuple[str, ...], format: SourceFormat | None, text_field: str, on_error: OnError) -> Files:
    return Files(paths, format=format, text_field=text_field, on_error=on_error)

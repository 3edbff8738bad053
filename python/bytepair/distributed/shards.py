"""What is done for one shard: its pretokens counted, its documents encoded. Plain functions of files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple, TypeAlias

from bytepair import _corpus, _files, _readers
from bytepair.counts import Counts
from bytepair.sources import Files, Skipped
from bytepair.tokenizer import Tokenizer

if TYPE_CHECKING:
    import numpy.typing as npt

    from bytepair._types import Pattern

__all__ = ["EncodedShard", "TokenDtype", "count_shard", "encode_shard", "merge_counts"]

TokenDtype: TypeAlias = Literal["uint16", "uint32"]


class EncodedShard(NamedTuple):
    """What is known of a shard that was encoded: a row of the manifest.

    Attributes
    ----------
    source : str
        The file of documents.
    path : str
        The file of token ids.
    n_documents, n_bytes, n_tokens : int
        Documents, bytes of text, and ids, those of the separator included.
    n_skipped : int
        Rows that were left out, with ``on_error="skip"``.
    sha256 : str
        The digest of the file of token ids.
    """

    source: str
    path: str
    n_documents: int
    n_bytes: int
    n_tokens: int
    n_skipped: int
    sha256: str


def count_shard(
    shard: str | os.PathLike[str] | Files,
    out: str | os.PathLike[str],
    *,
    pattern: Pattern = "gpt2",
    special_tokens: Iterable[str] | None = ("<|endoftext|>",),
    memory_limit: int | None = None,
    num_threads: int | None = None,
) -> None:
    """Count the pretokens of a shard and save them.

    A shard is known by its paths: to run this again, as a scheduler may, writes the same bytes, and `merge_counts`
    refuses to count it twice.

    Parameters
    ----------
    shard : str, path or Files
        A file of documents, or files; here a `str` is a path.
    out : path
        The file of counts to write; it is, at any moment, the old one or the whole new one.
    pattern, special_tokens, memory_limit
        As for `Counts`.
    num_threads : int, optional
        Threads to count with; by default one for each processor.

    Raises
    ------
    FormatError, OSError
        The shard is damaged, a row has no document, or a file cannot be read or written.

    Notes
    -----
    O(n) for n bytes.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from bytepair import Counts, Tokenizer
    >>> from bytepair.distributed import count_shard, merge_counts
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for number, text in enumerate(["low low lower", "newest low"]):
    ...     _ = (folder / f"{number}.txt").write_text(text)
    ...     count_shard(folder / f"{number}.txt", folder / f"{number}.bpc")
    >>> merge_counts(folder.glob("?.bpc"), folder / "all.bpc")
    >>> Tokenizer.train(Counts.load(folder / "all.bpc"), vocab_size=259).merges
    [(b'l', b'o'), (b'lo', b'w')]
    """
    counts = Counts(pattern, special_tokens, memory_limit=memory_limit)
    skipped = count_into(counts, as_files(shard), num_threads)
    counts.save(out)
    skipped.warn(2)


def count_into(counts: Counts, shard: Files, num_threads: int | None) -> Skipped:
    """Count a shard, known by its paths, and return what was left out."""
    return _corpus.count(counts._counts, shard, num_threads, None, shard="\n".join(shard.paths))


def merge_counts(paths: Iterable[str | os.PathLike[str]], out: str | os.PathLike[str]) -> None:
    """Add up files of counts: `Counts.merge_files`, under the name of what it is for here.

    Parameters
    ----------
    paths : iterable of path
        Files that `count_shard` or this wrote, in any order.
    out : path
        The file to write.

    Raises
    ------
    TrainingError
        Two of them hold the same shard, or were split in different ways.
    FormatError, OSError
        A file is damaged, or cannot be read or written.

    Notes
    -----
    O(n log k) for n entries in k files, in memory for a block of each.
    """
    Counts.merge_files(paths, out)


def encode_shard(
    shard: str | os.PathLike[str] | Files,
    out: str | os.PathLike[str],
    tokenizer: Tokenizer,
    *,
    dtype: TokenDtype | None = None,
    separator: str | None = "<|endoftext|>",
    num_threads: int | None = None,
) -> EncodedShard:
    r"""Encode the documents of a shard into a file of token ids.

    Parameters
    ----------
    shard : str, path or Files
        A file of documents, or files; here a `str` is a path.
    out : path
        The file to write: ``.npy``, which `numpy.load` reads or maps, or ``.bin``, the ids alone, little-endian. It is,
        at any moment, the old one or the whole new one.
    tokenizer : Tokenizer
    dtype : {"uint16", "uint32"}, optional
        By default the smaller one that holds every id.
    separator : str or None, default "<|endoftext|>"
        A special token of the tokenizer whose id is put after each document. Text never makes this id.
    num_threads : int, optional
        Threads to encode with; by default one for each processor.

    Returns
    -------
    EncodedShard
        What is in the file.

    Raises
    ------
    ValueError
        `out` has another suffix, the tokenizer has no such separator, or the dtype does not hold its ids.
    FormatError, OSError
        The shard is damaged, a row has no document, or a file cannot be read or written.

    Notes
    -----
    O(n) for n bytes, in memory for a batch of rows, or for the longest text file.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from bytepair import Tokenizer
    >>> from bytepair.distributed import encode_shard
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.jsonl").write_text('{"text": "hello world"}\n{"text": "hello"}\n')
    >>> encoded = encode_shard(folder / "a.jsonl", folder / "a.npy", Tokenizer.from_pretrained("gpt2"))
    >>> encoded.n_documents, encoded.n_tokens
    (2, 5)
    >>> np.load(folder / "a.npy")
    array([31373,   995, 50256, 31373, 50256], dtype=uint16)
    """
    files, path = as_files(shard), Path(out)
    kind, separator_id = checked(tokenizer, dtype, separator)
    n_documents = n_bytes = 0
    skipped = Skipped()
    with _files.replacing(path) as part:
        with open(part, "wb") as file:
            tokens = _TokenFile(file, path.suffix, kind)
            for texts, batch_bytes, batch_skipped in _texts_of(files):
                ids, ends = tokenizer.encode_batch_to_numpy(texts, dtype=kind, num_threads=num_threads)
                skipped = skipped.plus(batch_skipped)
                n_documents += len(ends) - 1
                n_bytes += batch_bytes
                tokens.write(ids if separator_id is None else _separated(ids, ends, separator_id))
            tokens.finish()
        digest = _digest(part)
    skipped.warn(2)
    return EncodedShard(
        "\n".join(files.paths), os.fspath(path), n_documents, n_bytes, tokens.n_tokens, skipped.n_rows, digest
    )


def checked(tokenizer: Tokenizer, dtype: TokenDtype | None, separator: str | None) -> tuple[TokenDtype, int | None]:
    """Return the type of ids to write, which holds all of the tokenizer's, and the id to put after each document."""
    fits: TokenDtype = "uint16" if tokenizer.n_vocab <= 2**16 else "uint32"
    if dtype not in (None, "uint16", "uint32"):
        raise ValueError(f"dtype must be 'uint16' or 'uint32', not {dtype!r}")
    if dtype == "uint16" and fits != "uint16":
        raise ValueError(f"uint16 does not hold the {tokenizer.n_vocab} ids of this tokenizer; use uint32")
    if separator is not None and separator not in tokenizer.special_tokens:
        there = ", ".join(tokenizer.special_tokens) or "none"
        raise ValueError(f"{separator!r} is no special token of this tokenizer, which has {there}; or pass None")
    return dtype or fits, None if separator is None else tokenizer.special_tokens[separator]


def as_files(shard: str | os.PathLike[str] | Files) -> Files:
    """Return a shard as files."""
    return shard if isinstance(shard, Files) else Files(shard)


def _texts_of(files: Files) -> Iterator[tuple[Any, int, Skipped]]:
    """Yield the documents of files in batches that the tokenizer takes, the bytes in them, and what was left out."""
    for source in files.sources():
        if source.format == "text":
            with _readers.Bytes(source) as file:
                text = b"".join(iter(file.read, b""))
            yield [text], len(text), Skipped()
            continue
        for batch in _readers.batches(source, files):
            yield batch.texts, batch.n_bytes, batch.skipped


def _separated(ids: npt.NDArray[Any], ends: npt.NDArray[Any], separator_id: int) -> npt.NDArray[Any]:
    """Put the separator after each document."""
    import numpy as np

    return np.insert(ids, ends[1:], separator_id)


class _TokenFile:
    """A file of token ids, written as they come."""

    def __init__(self, file: BinaryIO, suffix: str, dtype: TokenDtype) -> None:
        import numpy as np

        if suffix not in (".npy", ".bin"):
            raise ValueError(f"a file of token ids ends in .npy or .bin, not in {suffix!r}")
        self._file = file
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._is_npy = suffix == ".npy"
        self.n_tokens = 0
        self._write_header()

    def write(self, ids: npt.NDArray[Any]) -> None:
        self._file.write(ids.astype(self._dtype, copy=False).data)
        self.n_tokens += len(ids)

    def finish(self) -> None:
        self._write_header()
        self._file.flush()
        os.fsync(self._file.fileno())

    def _write_header(self) -> None:
        """Write the header for so many tokens; NumPy leaves room in it for any number."""
        from numpy.lib import format as npy

        if self._is_npy:
            self._file.seek(0)
            about = {"descr": self._dtype.str, "fortran_order": False, "shape": (self.n_tokens,)}
            npy.write_array_header_1_0(self._file, about)


def _digest(path: Path) -> str:
    import hashlib

    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

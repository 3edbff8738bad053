"""Pretoken counts: all that training needs to know of a corpus, to be made anywhere and added up."""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from bytepair import _arguments, _core, _corpus, _files
from bytepair.errors import TrainingError
from bytepair.sources import Skipped

if TYPE_CHECKING:
    from decimal import Decimal
    from fractions import Fraction

    from bytepair._types import Corpus, Pattern, Progress

__all__ = ["Counts"]

# The bits after the point of a weight.
_FRACTION_BITS = 16


class Counts:
    """How often each pretoken occurs in a corpus.

    Counts made of parts of a corpus, by other threads, processes or machines, are added up to those of the whole, and
    `Tokenizer.train` learns from them what it would from the corpus. What is counted does not depend on the order of
    documents, on threads, or on how files are cut: the same counts are saved as the same bytes.

    A file is noted by the SHA-256 of its content, or a whole call of `update` by the name it is given, so that nothing
    counts twice when a part is counted again.

    Parameters
    ----------
    pattern : str or sequence of str, default "gpt2"
        How text is split: a preset's name, a regex, or regexes that split one after the other.
    special_tokens : iterable of str, default ("<|endoftext|>",)
        They cut the documents where they occur, and are not counted.
    memory_limit : int, default 2 GiB
        The bytes of memory that distinct pretokens may take, about 30 for each short one. What does not fit is sorted
        and written to files in the folder for temporary files (``TMPDIR``), and added up from there: the counts are the
        same. Such a file has no name, so nothing of it is left when the process ends, however it ends. A few MiB for
        each thread, and the documents at hand, come on top.

    Raises
    ------
    PatternError
        The pattern is malformed or cannot be run exactly.
    SpecialTokenError
        A special token is empty or there twice.

    Examples
    --------
    >>> one, two = Counts(), Counts()
    >>> one.update(["low low lower"])
    >>> two.update(["newest low"])
    >>> total = one + two
    >>> total
    <Counts: 4 distinct of 5 pretokens, 23 bytes, pattern 'gpt2'>
    """

    __slots__ = ("_counts",)

    def __init__(
        self,
        pattern: Pattern = "gpt2",
        special_tokens: Iterable[str] | None = ("<|endoftext|>",),
        *,
        memory_limit: int | None = None,
    ) -> None:
        names = _arguments.special_names(special_tokens)
        _arguments.refuse_bytes(names, {bytes([byte]): byte for byte in range(256)})
        self._counts = _core.Counts(pattern, names, _checked_limit(memory_limit))

    @classmethod
    def _of(cls, counts: _core.Counts) -> Self:
        made = cls.__new__(cls)
        made._counts = counts
        return made

    def update(
        self,
        corpus: Corpus,
        *,
        shard: str | None = None,
        num_threads: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Count a corpus: all of it, or, where something is raised, nothing.

        Parameters
        ----------
        corpus : Files, path, list of paths, str, bytes, Arrow array, or iterable of str, bytes or Arrow arrays
            Files, one document, or documents, as in `Tokenizer.train`.
        shard : str, optional
            What this part of the corpus is called: counts that hold it are not added to counts that hold it. By default
            each file that is not empty is such a part, known by its content (of compressed text, by what it
            decompresses to), and documents are none. With a name, the files of this call are not noted: use it where
            the same file may rightly lie in two parts.
        num_threads : int, optional
            Threads to count with; by default one for each processor.
        progress : callable, optional
            Called with "counting", the bytes that are done and the total, as in `Tokenizer.train`.

        Raises
        ------
        TrainingError
            The shard, or a file with this content, was counted before, by an earlier call. (That a file comes twice in
            one list is no mistake.) Or the corpus has more than 2**64 - 1 bytes.
        FormatError, ImportError, OSError
            A file cannot be read, as in `Tokenizer.train`; or the counts pass the memory limit, and the folder for
            temporary files is full.
        TypeError
            `corpus` or a document in it is of another type.

        Notes
        -----
        O(n) for n bytes.

        Examples
        --------
        >>> counts = Counts()
        >>> counts.update(["low low lower"], shard="part 1")
        >>> counts.update(["low low lower"], shard="part 1")
        Traceback (most recent call last):
        bytepair.errors.TrainingError: the shard "part 1" was counted before
        """
        if shard is not None and not isinstance(shard, str):
            raise TypeError(f"shard must be a str, not {type(shard).__name__}")
        skipped = _corpus.count(self._counts, corpus, num_threads, progress, shard=shard, notes_files=shard is None)
        skipped.warn(2)

    def merge(self, other: Counts) -> None:
        """Add other counts to these.

        Parameters
        ----------
        other : Counts
            Counts of another part of the corpus, made with the same pattern and special tokens.

        Raises
        ------
        TrainingError
            The two were split in different ways, have a shard in common, or have more than 2**64 - 1 bytes together.
            Then nothing has been added.
        """
        if not isinstance(other, Counts):
            raise TypeError(f"only Counts can be merged with Counts, not {type(other).__name__}")
        self._counts.merge(other._counts)

    def __add__(self, other: Counts) -> Self:
        if not isinstance(other, Counts):
            return NotImplemented
        total = self._of(self._counts.copy())
        total.merge(other)
        return total

    def __iadd__(self, other: Counts) -> Self:
        if not isinstance(other, Counts):
            return NotImplemented
        self.merge(other)
        return self

    def scale(self, weight: float | Fraction | Decimal) -> None:
        """Multiply every count, so that this part of a corpus weighs more or less among others.

        Parameters
        ----------
        weight : int, float, Fraction or Decimal
            More than 0. A weight that is no whole number becomes the nearest multiple of 2**-16 (of two as near, the
            even one); that is all that is ever rounded. Counts are from then on whole numbers of a smaller unit, see
            `fraction_bits`.

        Raises
        ------
        TrainingError
            In the smaller unit, the corpus has more than 2**64 - 1 bytes. Then nothing has changed.
        ValueError
            The weight is not more than 0, or rounds to 0.

        Examples
        --------
        >>> code, prose = Counts(), Counts()
        >>> code.update(["x x x"])
        >>> prose.update(["a a a"])
        >>> code.scale(0.5)
        >>> (code + prose).most_common(4), (code + prose).fraction_bits
        ([(b' a', 4), (b' x', 2), (b'a', 2), (b'x', 1)], 1)
        """
        import numbers
        from decimal import Decimal
        from fractions import Fraction

        if not isinstance(weight, numbers.Rational | float | Decimal):
            raise TypeError(f"weight must be a number, not {type(weight).__name__}")
        try:
            exact = Fraction(weight)
        except (ValueError, OverflowError):
            raise ValueError(f"weight={weight} is not finite") from None
        units = round(exact * 2**_FRACTION_BITS)
        if units <= 0:
            raise ValueError(f"weight={weight} must be more than 0, by 2**-{_FRACTION_BITS} at least")
        if units >= 2**64:
            raise TrainingError(f"weight={weight} is too large; the most is 2**{64 - _FRACTION_BITS}")
        self._counts.scale(units, _FRACTION_BITS)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the counts to a file: the same counts of the same shards are the same bytes.

        Parameters
        ----------
        path : path
            The file; it is, at any moment, the old one or the whole new one.

        Raises
        ------
        OSError
            It cannot be written.

        Notes
        -----
        O(d log d) for d distinct pretokens.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> counts = Counts()
        >>> counts.update(["low low lower"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     counts.save(Path(folder) / "part.bpc")
        ...     Counts.load(Path(folder) / "part.bpc") == counts
        True
        """
        with _files.replacing(path) as part:
            self._counts.save(part)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, memory_limit: int | None = None) -> Self:
        """Read counts that were saved.

        Parameters
        ----------
        path : path
        memory_limit : int, default 2 GiB
            As for new counts.

        Returns
        -------
        Counts

        Raises
        ------
        FormatError
            The file is damaged or no file of counts, or was made with another version of Unicode.
        OSError
            It cannot be read.
        """
        return cls._of(_core.Counts.load(os.fspath(path), _checked_limit(memory_limit)))

    @staticmethod
    def merge_files(paths: Iterable[str | os.PathLike[str]], out: str | os.PathLike[str]) -> None:
        """Add up files of counts into a file, without holding them in memory.

        Parameters
        ----------
        paths : iterable of path
            Files of counts; in which order makes no difference.
        out : path
            The file to write; it may be one of `paths`. It is, at any moment, the old one or the whole new one.

        Raises
        ------
        TrainingError
            Two files were split in different ways or have a shard in common; the message names both. Or the counts
            have more than 2**64 - 1 bytes together.
        FormatError
            A file is damaged or no file of counts.
        OSError
            A file cannot be read or written.

        Notes
        -----
        O(n log k) for n entries in k files, in memory for a block of each.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     paths = [Path(folder) / name for name in ("1.bpc", "2.bpc", "all.bpc")]
        ...     for path, text in zip(paths, ["low", "low er"]):
        ...         counts = Counts()
        ...         counts.update([text])
        ...         counts.save(path)
        ...     Counts.merge_files(paths[:2], paths[2])
        ...     Counts.load(paths[2]).most_common(2)
        [(b'low', 2), (b' er', 1)]
        """
        if isinstance(paths, str | bytes | os.PathLike):
            raise TypeError(f"paths must be an iterable of paths; pass [{paths!r}]")
        with _files.replacing(out) as part:
            _core.Counts.merge_files([os.fspath(path) for path in paths], part)

    def most_common(self, n: int | None = None) -> list[tuple[bytes, int]]:
        """Return the most frequent pretokens with their counts; of equal counts, in the order of their bytes.

        Parameters
        ----------
        n : int, optional
            How many; by default all.

        Returns
        -------
        list of (bytes, int)

        Examples
        --------
        >>> counts = Counts()
        >>> counts.update(["low low low lower"])
        >>> counts.most_common(2)
        [(b' low', 2), (b' lower', 1)]
        """
        return self._counts.most_common(sys.maxsize if n is None else max(n, 0))

    @property
    def pattern(self) -> Pattern:
        """How text is split: a preset's name, a regex, or a tuple of regexes."""
        return self._counts.pattern

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """The special tokens that cut the documents."""
        return self._counts.special_tokens

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of all that shapes pretokens: pattern, special tokens, Unicode version, version of the rules.

        Counts in which it differs cannot be added up.
        """
        return self._counts.fingerprint

    @property
    def shards(self) -> tuple[str | bytes, ...]:
        """The parts of the corpus that are known: the SHA-256 of each file, and names; sorted."""
        return self._counts.shards()

    @property
    def total_bytes(self) -> int:
        """The bytes of all pretokens; special tokens are not among them."""
        return self._counts.total_bytes

    @property
    def total_pretokens(self) -> int:
        """The sum of all counts."""
        return self._counts.total_pretokens

    @property
    def total_documents(self) -> int:
        """The documents and files that were counted; scaling does not change it."""
        return self._counts.total_documents

    @property
    def fraction_bits(self) -> int:
        """Counts and totals are in units of ``2**-fraction_bits``: 0, unless they were scaled by a fraction."""
        return self._counts.fraction_bits

    @property
    def memory_limit(self) -> int:
        """The bytes of memory that distinct pretokens may take."""
        return self._counts.memory_limit

    @property
    def n_spills(self) -> int:
        """How often counts were written to temporary files, because they came to the memory limit."""
        return self._counts.n_spills

    def __len__(self) -> int:
        return len(self._counts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Counts):
            return NotImplemented
        return self._counts.is_same(other._counts)

    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> Self:
        return self._of(self._counts.copy())

    def __deepcopy__(self, memo: object) -> Self:
        return self.__copy__()

    def __reduce__(self) -> tuple[object, ...]:
        return _unpickle, (type(self), self._counts.to_bytes(), self.memory_limit)

    def __repr__(self) -> str:
        size = f"{len(self):,} distinct of {self.total_pretokens:,} pretokens, {self.total_bytes:,} bytes"
        unit = f" in units of 2**-{self.fraction_bits}" if self.fraction_bits else ""
        return f"<{type(self).__name__}: {size}{unit}, pattern {self.pattern!r}>"


def _unpickle(cls: type[Counts], data: bytes, memory_limit: int) -> Counts:
    return cls._of(_core.Counts.from_bytes(data, memory_limit))


def _checked_limit(memory_limit: int | None) -> int | None:
    if memory_limit is None:
        return None
    try:
        n_bytes = operator.index(memory_limit)
    except TypeError:
        raise TypeError(f"memory_limit must be an int, not {type(memory_limit).__name__}") from None
    if n_bytes <= 0:
        raise ValueError(f"memory_limit={n_bytes} must be more than 0; it is in bytes")
    return min(n_bytes, sys.maxsize)


def counts_for(
    corpus: object, pattern: Pattern | None, special_tokens: Iterable[str] | None, memory_limit: int | None
) -> Counts:
    """Return new counts to count a corpus into, or those that it is, where they were made as the arguments say.

    An argument that is None was not given.
    """
    default = corpus if isinstance(corpus, Counts) else Counts()
    asked = Counts(
        default.pattern if pattern is None else pattern,
        default.special_tokens if special_tokens is None else special_tokens,
        memory_limit=memory_limit,
    )
    if not isinstance(corpus, Counts):
        return asked
    if asked.fingerprint != corpus.fingerprint:
        made, wanted = (f"pattern={c.pattern!r}, special_tokens={c.special_tokens!r}" for c in (corpus, asked))
        raise TrainingError(f"these counts were made with {made}, so they cannot be trained on with {wanted}")
    return corpus


def count_corpus(counts: Counts, corpus: object, num_threads: int | None, progress: Progress | None) -> Skipped:
    """Count a corpus into what `counts_for` gave for it, and return what was left out."""
    if counts is corpus:
        return Skipped()
    return _corpus.count(counts._counts, corpus, num_threads, progress)

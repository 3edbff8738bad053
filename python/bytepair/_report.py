"""What a training run found."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from bytepair import _corpus

if TYPE_CHECKING:
    from bytepair._types import Corpus


# So many characters, or bytes, are looked at together where words are counted.
BLOCK = 2**16


class SourceFigures(NamedTuple):
    """How well a tokenizer does on one source of text.

    Attributes
    ----------
    label : str
        What the source is called.
    n_bytes, n_words, n_tokens : int
        Its size: in bytes of UTF-8, in words (what white space separates) and in tokens.
    """

    label: str
    n_bytes: int
    n_words: int
    n_tokens: int

    @property
    def bytes_per_token(self) -> float | None:
        """The compression; None where there are no tokens."""
        return self.n_bytes / self.n_tokens if self.n_tokens else None

    @property
    def fertility(self) -> float | None:
        """Tokens for each word; None where there are no words."""
        return self.n_tokens / self.n_words if self.n_words else None


class TrainingReport(NamedTuple):
    """What a training run found.

    Attributes
    ----------
    stop_reason : str
        Why it stopped: the vocabulary was full, or which pairs were left.
    n_documents, n_bytes, n_pretokens, n_distinct_pretokens : int
        The corpus, special tokens not counted.
    n_tokens : tuple of int
        ``n_tokens[k]`` is how many tokens the corpus has after ``k`` merges; ``n_tokens[0] == n_bytes``.
    token_counts : tuple of int
        How often each token occurs in the corpus, by id; special tokens are not counted.
    tokens : tuple of bytes or None
        The tokens by id; None for special tokens and ids without a token.
    n_skipped : int
        The rows that :class:`Files` left out, with ``on_error="skip"``.
    skipped : tuple of str
        Place and reason of the first of them.
    fraction_bits : int
        Of weighed counts, ``n_bytes``, ``n_pretokens``, ``n_tokens`` and ``token_counts`` are in units of
        ``2**-fraction_bits``, as in :class:`Counts`; else 0. What is shown and saved is in whole ones.
    """

    stop_reason: str
    n_documents: int
    n_bytes: int
    n_pretokens: int
    n_distinct_pretokens: int
    n_tokens: tuple[int, ...]
    token_counts: tuple[int, ...]
    tokens: tuple[bytes | None, ...]
    n_skipped: int = 0
    skipped: tuple[str, ...] = ()
    fraction_bits: int = 0

    def __repr__(self) -> str:
        n_merges = len(self.n_tokens) - 1
        figures = f"{self.bytes_per_token(n_merges):.3f} bytes per token after {n_merges:,} merges"
        return f"<TrainingReport of {self._ones(self.n_bytes):,} bytes: {figures}; stopped because {self.stop_reason}>"

    def bytes_per_token(self, n_merges: int) -> float:
        """Return the compression of the corpus after `n_merges` merges.

        Parameters
        ----------
        n_merges : int

        Returns
        -------
        float
            Bytes of the corpus for each of its tokens.

        Raises
        ------
        IndexError
            `n_merges` is negative, or more than were learned.

        Examples
        --------
        >>> import bytepair
        >>> report = bytepair.Tokenizer.train(["aaaa"], vocab_size=259).training_report
        >>> [report.bytes_per_token(k) for k in range(len(report.n_tokens))]
        [1.0, 2.0, 4.0]
        """
        if not 0 <= n_merges < len(self.n_tokens):
            raise IndexError(f"n_merges={n_merges} is not in 0..{len(self.n_tokens) - 1}, the merges that were learned")
        return self.n_bytes / self.n_tokens[n_merges]

    @property
    def unseen_bytes(self) -> bytes:
        r"""The bytes that the corpus does not hold: their embeddings are never trained.

        Examples
        --------
        >>> import bytepair
        >>> report = bytepair.Tokenizer.train([bytes(range(1, 255))], vocab_size=257).training_report
        >>> report.unseen_bytes
        b'\x00\xff'
        """
        seen = {byte for token, count in self._counted() if count for byte in token}
        return bytes(byte for byte in range(256) if byte not in seen)

    def longest(self, n: int = 20) -> list[bytes]:
        """Return the `n` longest tokens, the longest first; of one length, in the order of their bytes."""
        import heapq

        return heapq.nsmallest(n, (token for token, _ in self._counted()), key=lambda token: (-len(token), token))

    def most_common(self, n: int = 20) -> list[tuple[bytes, int]]:
        """Return the `n` tokens that the corpus holds most often, and how often; of one count, the lowest id first."""
        import heapq

        return heapq.nsmallest(n, self._counted(), key=lambda entry: -entry[1])

    def rarest(self, n: int = 20) -> list[tuple[bytes, int]]:
        """Return the `n` tokens of two bytes or more that the corpus holds least often; of one count, the last learned.

        A token that is part of longer ones may be left with few places of its own, or none: it then costs an embedding
        that is hardly trained.

        Parameters
        ----------
        n : int, default 20

        Returns
        -------
        list of (bytes, int)
            The tokens and how often they occur.

        Examples
        --------
        >>> import bytepair
        >>> tokenizer = bytepair.Tokenizer.train(["abc abc abc"], vocab_size=260)
        >>> tokenizer.training_report.rarest(2)
        [(b'ab', 0), (b'abc', 1)]
        """
        import heapq

        made = ((token, count) for token, count in reversed(list(self._counted())) if len(token) > 1)
        return heapq.nsmallest(n, made, key=lambda entry: entry[1])

    def save(self, path: str | os.PathLike[str], *, sources: Iterable[SourceFigures] = ()) -> None:
        """Write the report as a page to look at, or as JSON.

        Parameters
        ----------
        path : path
            Its suffix decides: `.html`, one file with its plots inside, or `.json`, one object with all that is here.
        sources : iterable of SourceFigures, default ()
            What is known of the sources of the corpus, from `Tokenizer.fertility`.

        Raises
        ------
        ValueError
            The suffix is another one.
        OSError
            The file cannot be written; an old one is then untouched.
        """
        from bytepair import _report_page

        _report_page.save(self, path, tuple(sources))

    def to_dict(self, *, sources: Iterable[SourceFigures] = ()) -> dict[str, Any]:
        """Return the report as what JSON can hold: bytes are lists of numbers.

        Parameters
        ----------
        sources : iterable of SourceFigures, default ()

        Returns
        -------
        dict
        """
        figures: dict[str, Any] = {
            "stop_reason": self.stop_reason,
            "n_documents": self.n_documents,
            "n_bytes": self._ones(self.n_bytes),
            "n_pretokens": self._ones(self.n_pretokens),
            "n_distinct_pretokens": self.n_distinct_pretokens,
            "bytes_per_token": self.n_bytes / self.n_tokens[-1],
            "unseen_bytes": list(self.unseen_bytes),
            "longest": [list(token) for token in self.longest()],
            "rarest": [{"token": list(token), "count": self._ones(count)} for token, count in self.rarest()],
            "sources": [
                source._asdict() | {"bytes_per_token": source.bytes_per_token, "fertility": source.fertility}
                for source in sources
            ],
            "n_tokens": [self._ones(n) for n in self.n_tokens],
            "token_counts": [self._ones(count) for count in self.token_counts],
            "tokens": [None if token is None else list(token) for token in self.tokens],
        }
        return figures

    def _ones(self, n_units: int) -> int | float:
        """Return what so many units of the counts are: an int wherever that is whole, else the nearest float."""
        whole, rest = divmod(n_units, 1 << self.fraction_bits)
        return n_units / (1 << self.fraction_bits) if rest else whole

    def _counted(self) -> Iterable[tuple[bytes, int]]:
        """Yield the tokens with how often they occur, by id."""
        pairs = zip(self.tokens, self.token_counts, strict=True)
        return ((token, count) for token, count in pairs if token is not None)


def measure(count: Callable[[str | bytes], int], sources: Mapping[str, Corpus]) -> list[SourceFigures]:
    """Return the figures of sources; `count` says how many tokens a document has."""
    figures = []
    for label, corpus in sources.items():
        n_bytes = n_words = n_tokens = 0
        for document in _corpus.documents_of(corpus):
            if not isinstance(document, str | bytes):
                document = bytes(document)
            of_document = size_of(document)
            n_bytes, n_words = n_bytes + of_document[0], n_words + of_document[1]
            n_tokens += count(document)
        figures.append(SourceFigures(label, n_bytes, n_words, n_tokens))
    return figures


def size_of(document: str | bytes) -> tuple[int, int]:
    """Return how many bytes and words a document has, of which only a block is split, or decoded, at a time."""
    n_bytes = n_words = 0
    within = False
    for block in _blocks(document):
        n_bytes += len(block.encode()) if isinstance(document, str) else 0
        if block:
            # A word that goes on in this block is counted already.
            n_words += len(block.split()) - (within and not block[0].isspace())
            within = not block[-1].isspace()
    return n_bytes if isinstance(document, str) else len(document), n_words


def _blocks(document: str | bytes) -> Iterator[str]:
    starts = range(0, len(document), BLOCK)
    if isinstance(document, str):
        yield from (document[start : start + BLOCK] for start in starts)
        return
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    yield from (decoder.decode(document[start : start + BLOCK]) for start in starts)
    yield decoder.decode(b"", final=True)

"""What a larger vocabulary buys and costs: fewer tokens, more embeddings, and more of them that hardly occur."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from bytepair import _corpus, _figure
from bytepair.errors import TrainingError
from bytepair.tokenizer import Tokenizer

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from bytepair._types import Corpus, Pattern, Progress

# The sizes where none are asked for: as many of these as there are merges to learn.
_SIZES = tuple(1 << power for power in range(9, 16))

# Texts are encoded in batches of about this many bytes.
_BATCH_BYTES = 4 * 2**20


class TradeoffRow(NamedTuple):
    """What one size of the vocabulary gives.

    Attributes
    ----------
    vocab_size : int
        Tokens in all: bytes, merges and special tokens.
    n_bytes, n_tokens : int
        The text that is measured, special tokens in it not counted.
    n_used : int
        How many different tokens occur in it.
    embedding_parameters : int
        Rows times `d_model`. A model whose output layer is not tied to its embedding has as many there again.
    training_bytes_per_token : float
        The compression of the text that was trained on.
    """

    vocab_size: int
    n_bytes: int
    n_tokens: int
    n_used: int
    embedding_parameters: int
    training_bytes_per_token: float

    @property
    def tokens_per_byte(self) -> float:
        """How many tokens a byte of the text costs; 1 where tokens are bytes."""
        return self.n_tokens / self.n_bytes

    @property
    def bytes_per_token(self) -> float:
        """The compression of the text."""
        return self.n_bytes / self.n_tokens

    @property
    def share_used(self) -> float:
        """How much of the vocabulary occurs in the text, special tokens counted as part that does not."""
        return self.n_used / self.vocab_size

    def as_dict(self) -> dict[str, Any]:
        """Return all of this as what JSON can hold."""
        ratios = ("tokens_per_byte", "bytes_per_token", "share_used")
        return self._asdict() | {name: getattr(self, name) for name in ratios}


def vocabulary_tradeoff(
    corpus: Corpus,
    sizes: Iterable[int] | None = None,
    *,
    held_out: Corpus | None = None,
    d_model: int = 768,
    pattern: Pattern = "gpt2",
    special_tokens: Iterable[str] = ("<|endoftext|>",),
    progress: Progress | None = None,
) -> list[TradeoffRow]:
    """Measure what a larger vocabulary buys and costs.

    One training run gives them all: training learns one merge after the other, so the vocabulary of each size is the
    beginning of every larger one.

    Parameters
    ----------
    corpus : path, list of paths, str, bytes, or list of str or bytes
        The text to train on, which is read twice.
    sizes : iterable of int, optional
        Tokens in all; by default 512, 1,024 and so on up to 32,768, as far as there is anything to merge.
    held_out : as `corpus`, optional
        The text to measure on. By default it is the corpus itself, in which a token occurs more surely than elsewhere:
        it was made because it occurs there.
    d_model : int, default 768
        Numbers in the embedding of a token.
    pattern, special_tokens, progress
        As for :meth:`bytepair.Tokenizer.train`.

    Returns
    -------
    list of TradeoffRow
        One for each size, the smallest first.

    Raises
    ------
    TrainingError
        A size has no room for the bytes and special tokens, or for more merges than the corpus has; the measured text
        has no token.
    ValueError
        `d_model` is not positive.
    TypeError
        A text is of another type, or an iterator, which could be read only once.

    Notes
    -----
    O(n) for n bytes for each size, besides training.

    Examples
    --------
    >>> rows = vocabulary_tradeoff(["low lower lowest low"], [257, 260, 263], held_out=["slow lowest"], d_model=16)
    >>> [(row.vocab_size, row.n_tokens, row.n_used, row.embedding_parameters) for row in rows]
    [(257, 11, 7, 4112), (260, 6, 5, 4160), (263, 4, 4, 4208)]
    """
    texts = corpus if held_out is None else held_out
    for text in (corpus, texts):
        if isinstance(text, Iterator):
            raise TypeError(f"a {type(text).__name__} can be read only once; pass a list, or paths")
    if d_model < 1:
        raise ValueError(f"d_model is {d_model}, but an embedding has a number at least")
    special_tokens = list(special_tokens)
    wanted = sorted({*_SIZES} if sizes is None else {*sizes})
    if not wanted:
        raise TrainingError("there is no size to measure")
    least = 256 + len(special_tokens)
    if wanted[0] < least:
        message = (
            f"a vocabulary of {wanted[0]:,} has no room for the 256 bytes and {len(special_tokens)} special tokens"
        )
        raise TrainingError(f"{message}: it needs {least:,} at least")
    largest = Tokenizer.train(corpus, wanted[-1], pattern=pattern, special_tokens=special_tokens, progress=progress)
    report = largest.training_report
    assert report is not None
    if sizes is None:
        wanted = [*(size for size in wanted if size < largest.vocab_size), largest.vocab_size]
    elif wanted[-1] > largest.vocab_size:
        message = f"there is no vocabulary of {wanted[-1]:,} tokens: training stopped at {largest.vocab_size:,}"
        raise TrainingError(f"{message} because {report.stop_reason}; pass more text, or smaller sizes")
    tokens, merges = largest.vocab, largest.merges
    rows = []
    prefixes = [_prefix(tokens, merges, size, pattern, special_tokens) for size in wanted]
    for tokenizer, counts in zip(prefixes, _counts(prefixes, texts), strict=True):
        ordinary = counts.copy()
        ordinary[list(tokenizer.special_tokens.values())] = 0
        lengths = [len(token) for _, token in sorted(tokenizer.vocab.items())]
        rows.append(
            TradeoffRow(
                vocab_size=tokenizer.vocab_size,
                n_bytes=int(ordinary @ lengths),
                n_tokens=int(ordinary.sum()),
                n_used=int((ordinary > 0).sum()),
                embedding_parameters=tokenizer.vocab_size * d_model,
                training_bytes_per_token=report.bytes_per_token(tokenizer.vocab_size - least),
            )
        )
    if rows[0].n_bytes == 0:
        raise TrainingError("there is no text to measure on")
    return rows


def tradeoff_picture(rows: Sequence[TradeoffRow], kind: str) -> bytes:
    """Draw what a larger vocabulary buys and costs, by size.

    Parameters
    ----------
    rows : sequence of TradeoffRow
    kind : str
        What `matplotlib` can write, such as ``"png"``, ``"svg"`` or ``"pdf"``.

    Returns
    -------
    bytes
        The content of a file.

    Raises
    ------
    ModuleNotFoundError
        `matplotlib` is not installed: it comes with ``pip install 'bytepair[plot]'``.
    ValueError
        It cannot write this kind; the message lists those it can.
    """
    figure = _figure.new(kind, 11, 3.8)
    panels = (
        ("Tokens per byte of text", "fewer: shorter sequences", [row.tokens_per_byte for row in rows], "{:.3f}"),
        (
            "Embedding parameters, millions",
            "more: memory, and FLOPs of the output layer",
            [row.embedding_parameters / 1e6 for row in rows],
            "{:.1f}",
        ),
        (
            "Vocabulary that occurs, %",
            "less: rows that are there for nothing",
            [100 * row.share_used for row in rows],
            "{:.0f}",
        ),
    )
    sizes = [row.vocab_size for row in rows]
    for axes, (title, means, values, shown) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        axes.plot(sizes, values, "o-", color="#1d6996", markersize=5, clip_on=False)
        for size, value in zip(sizes, values, strict=True):
            label = axes.annotate(shown.format(value), (size, value), (0, 8), textcoords="offset points", ha="center")
            label.set(size=8, bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"})
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=45)
        axes.minorticks_off()
        axes.margins(x=0.1)
        axes.set_ylim(0, 1.15 * max(values))
        axes.set_title(f"{title}\n", size=11, loc="left", weight="bold")
        axes.text(0, 1.02, means, transform=axes.transAxes, size=9, color="#555555")
        axes.set_xlabel("tokens in the vocabulary")
        axes.spines[["top", "right"]].set_visible(False)
    return _figure.content(figure, kind)


def _prefix(
    tokens: Mapping[int, bytes],
    merges: Sequence[tuple[bytes, bytes]],
    vocab_size: int,
    pattern: Pattern,
    special_tokens: Sequence[str],
) -> Tokenizer:
    """Return the tokenizer that training ends with at this size: the first merges, and the special tokens."""
    n_ordinary = vocab_size - len(special_tokens)
    vocab = {token_id: tokens[token_id] for token_id in range(n_ordinary)}
    return Tokenizer(vocab, merges[: n_ordinary - 256], pattern=pattern, special_tokens=special_tokens)


def _counts(tokenizers: Sequence[Tokenizer], corpus: Corpus) -> list[npt.NDArray[np.int64]]:
    """Return how often each id of each tokenizer occurs in a corpus, which is read once."""
    import numpy as np

    counts = [np.zeros(tokenizer.vocab_size, np.int64) for tokenizer in tokenizers]
    for batch in _batches(corpus):
        for tokenizer, total in zip(tokenizers, counts, strict=True):
            ids, _ = tokenizer.encode_batch_to_numpy(batch, allowed_special="all")
            total += np.bincount(ids, minlength=len(total))
    return counts


def _batches(corpus: Corpus) -> Iterator[list[Any]]:
    batch: list[Any] = []
    n_bytes = 0
    for index, item in enumerate(_corpus.documents_of(corpus)):
        if not isinstance(item, str | bytes | bytearray | memoryview):
            raise TypeError(f"item {index} of the text to measure is a {type(item).__name__}, not a text or a path")
        batch.append(item)
        n_bytes += len(batch[-1])
        if n_bytes >= _BATCH_BYTES:
            yield batch
            batch, n_bytes = [], 0
    yield batch

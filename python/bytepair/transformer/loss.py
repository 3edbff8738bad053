"""How well logits foretell ids, and batches of ids to foretell, from a file of tokens."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bytepair.errors import ShapeError, TokenIdError

__all__ = ["cross_entropy", "perplexity", "sample_batch"]

# Logits looked at in one go: copies of those of a long text would not fit into memory.
_AT_A_TIME = 2**22


def cross_entropy(logits: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the mean of -log softmax(logits)[target], in nats.

    Parameters
    ----------
    logits : array of float, shape (..., V)
    targets : array of int, shape (...)
        The ids that were next.

    Returns
    -------
    float

    Raises
    ------
    ShapeError
        The shapes do not fit, or there are no targets.
    TokenIdError
        A target is not in 0 ... V - 1.

    Examples
    --------
    >>> from bytepair.transformer import cross_entropy, perplexity
    >>> round(cross_entropy([[0.0, 0.0, 0.0, 0.0]], [2]), 4)
    1.3863
    >>> round(perplexity([[0.0, 0.0, 0.0, 0.0]], [2]), 4)
    4.0
    """
    scores, ids = np.asarray(logits), np.asarray(targets)
    if ids.size == 0 or scores.ndim == 0 or scores.shape[:-1] != ids.shape:
        raise ShapeError(f"logits (..., V) and targets (...) do not fit: {scores.shape} and {ids.shape}")
    if ids.dtype.kind not in "iu":
        raise ShapeError(f"targets must be integers, not {ids.dtype}")
    vocab_size = scores.shape[-1]
    scores, ids = scores.reshape(-1, vocab_size), ids.reshape(-1)  # (..., V) -> (N, V)
    wrong = np.flatnonzero((ids < 0) | (ids >= vocab_size))
    if wrong.size:
        index = int(wrong[0])
        token_id = int(ids[index])
        raise TokenIdError(f"target {index}: the id {token_id} is not in 0 ... {vocab_size - 1}", token_id, index)
    total, step = 0.0, max(1, _AT_A_TIME // vocab_size)
    for start in range(0, len(ids), step):
        some = scores[start : start + step].astype(np.float64)
        some -= some.max(axis=1, keepdims=True)
        of_targets = some[np.arange(len(some)), ids[start : start + step]]  # (N, V) -> (N)
        total += float(np.sum(np.log(np.exp(some).sum(axis=1)) - of_targets))
    return total / len(ids)


def perplexity(logits: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return exp(cross_entropy): among how many ids the model is as uncertain as if they were equally likely.

    Parameters
    ----------
    logits, targets
        As for `cross_entropy`.

    Returns
    -------
    float
        Infinity where it is more than a float can be.
    """
    try:
        return math.exp(cross_entropy(logits, targets))
    except OverflowError:
        return math.inf


def sample_batch(
    tokens: npt.NDArray[Any] | str | os.PathLike[str], batch: int, length: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return stretches of a long array of ids, and the same one id later, for a model to foretell.

    Parameters
    ----------
    tokens : array of int, shape (n_tokens,), or path
        An array that is mapped from a file stays there, but for what is drawn: ``np.memmap(path, "uint16")``. A path
        is that of an ``.npy`` file, which is mapped.
    batch : int
        B.
    length : int
        T.
    rng : numpy.random.Generator
        Where the B draws come from; each place is as likely as any other.

    Returns
    -------
    inputs, targets : numpy.ndarray of int64, shape (B, T)

    Raises
    ------
    ShapeError
        There are not T + 1 ids, or they are not integers in one axis.

    Examples
    --------
    >>> import numpy as np
    >>> from bytepair.transformer import sample_batch
    >>> inputs, targets = sample_batch(np.arange(100), batch=2, length=3, rng=np.random.default_rng(0))
    >>> bool((targets == inputs + 1).all()), inputs.shape
    (True, (2, 3))
    """
    ids = tokens if isinstance(tokens, np.ndarray) else np.load(Path(tokens), mmap_mode="r", allow_pickle=False)
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise ShapeError(f"tokens must be integers in one axis, not {ids.dtype} of shape {ids.shape}")
    if batch < 1 or length < 1:
        raise ShapeError(f"batch and length must be 1 or more, not {batch} and {length}")
    if len(ids) <= length:
        raise ShapeError(f"{len(ids)} tokens are too few for {length} and the one behind them")
    starts = rng.integers(0, len(ids) - length, size=batch)
    both = np.stack([ids[start : start + length + 1] for start in starts]).astype(np.int64)  # (B, T + 1)
    return both[:, :-1], both[:, 1:]  # (B, T)

"""Keys and values of positions that a model has seen, so that it need not see them again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bytepair.errors import ShapeError
from bytepair.transformer.config import Config
from bytepair.transformer.ops import Array

__all__ = ["KVCache"]


class KVCache:
    """Keys and values of all layers, written in place; its memory is there from the beginning.

    `Transformer.new_cache` makes one, and each call with it adds what the call has seen.

    Attributes
    ----------
    keys, values : numpy.ndarray of shape (L, B, K, S, A)
        S is the most positions of a sequence. What lies behind a sequence's length is finite and without meaning.
    lengths : numpy.ndarray of int64, shape (B,)
        How many positions of each sequence are there.

    Examples
    --------
    >>> from bytepair.transformer import Config, Transformer
    >>> config = Config(vocab_size=257, context_length=64, num_layers=2, d_model=64, num_heads=4, d_ff=176)
    >>> model = Transformer.init(config, seed=0)
    >>> cache = model.new_cache(batch=2, max_length=10)
    >>> whole = model([[1, 2, 3, 4], [5, 6, 7, 8]])
    >>> first = model([[1, 2, 3], [5, 6, 7]], cache=cache)
    >>> last = model([[4], [8]], cache=cache)
    >>> cache.lengths, bool(abs(last[:, 0] - whole[:, 3]).max() < 1e-4)
    (array([4, 4]), True)
    >>> cache.truncate(1)
    >>> cache.lengths
    array([1, 1])
    """

    def __init__(self, config: Config, batch: int, max_length: int, dtype: npt.DTypeLike, num_layers: int) -> None:
        shape = (num_layers, batch, config.num_kv_heads, max_length, config.head_dim)
        # Zeros, as a weight of zero times a value that was never written must be zero.
        self.keys: Array = np.zeros(shape, dtype)
        self.values: Array = np.zeros(shape, dtype)
        self.lengths = np.zeros(batch, np.int64)

    @property
    def max_length(self) -> int:
        """The most positions of a sequence."""
        return int(self.keys.shape[3])

    @property
    def nbytes(self) -> int:
        """Bytes of all keys and values."""
        return self.keys.nbytes + self.values.nbytes

    def truncate(self, lengths: npt.ArrayLike) -> None:
        """Forget all positions from `lengths` on, one number or one for each sequence.

        Raises
        ------
        ShapeError
            A length is below 0 or more than the sequence has.
        """
        shorter = np.broadcast_to(np.asarray(lengths), self.lengths.shape)
        if shorter.dtype.kind not in "iu" or (shorter < 0).any() or (shorter > self.lengths).any():
            raise ShapeError(f"lengths must be integers from 0 to {self.lengths.tolist()}, not {shorter.tolist()}")
        self.lengths[...] = shorter

"""The arithmetic of a forward pass; every product of matrices goes through `matmul`, where it can be counted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
import numpy.typing as npt

from bytepair.transformer.config import COMPONENTS

__all__ = ["Array", "count_flops", "matmul"]

# float32; float64 where a test compares with a reference.
Array = npt.NDArray[np.floating[Any]]

_counts: ContextVar[dict[str, int] | None] = ContextVar("counts", default=None)


@contextlib.contextmanager
def count_flops() -> Iterator[dict[str, int]]:
    """Count the floating-point operations of the products computed within, in this thread.

    A product (m, k) (k, n) is 2 m n k of them: m n sums of k multiply-adds, each of which is two. Norms, softmax and
    activations are not counted, nor is reading the embedding table, which is no product.

    Returns
    -------
    dict of str to int
        The count of each component; all of `COMPONENTS` are there. It grows until the end of the ``with`` block.

    Examples
    --------
    >>> import numpy as np
    >>> from bytepair.transformer.ops import count_flops, matmul
    >>> with count_flops() as flops:
    ...     _ = matmul("head", np.ones((2, 3), np.float32), np.ones((3, 5), np.float32))
    >>> flops["head"], sum(flops.values())
    (60, 60)
    """
    counts = dict.fromkeys(COMPONENTS, 0)
    token = _counts.set(counts)
    try:
        yield counts
    finally:
        _counts.reset(token)


def matmul(component: str, a: Array, b: Array, out: Array | None = None) -> Array:
    """Return ``a @ b``, (..., m, k) (..., k, n) -> (..., m, n), and count it as part of `component`."""
    product: Array = np.matmul(a, b, out=out)
    counts = _counts.get()
    if counts is not None:
        # Each number of the result is a sum of k multiply-adds.
        counts[component] += 2 * product.size * a.shape[-1]
    return product

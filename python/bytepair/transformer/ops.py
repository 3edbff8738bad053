"""The arithmetic of a forward pass; every product of matrices goes through `matmul`, where it can be counted.

Letters: B batch, T queries, S keys, D d_model, H heads, K heads of keys and values, G = H / K, A head dim, F d_ff,
V vocabulary; N = B T rows. Everything keeps the type of what it is given, float32 but in tests.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
import numpy.typing as npt

from bytepair.transformer.config import COMPONENTS, SCORES_AT_A_TIME

__all__ = [
    "Array",
    "Scratch",
    "attention",
    "count_flops",
    "gelu",
    "layer_norm",
    "linear",
    "matmul",
    "rms_norm",
    "rotary_turns",
    "rotate",
    "rows_times_rows",
    "swiglu",
]

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
    """Return ``a @ b``, (..., m, k) (..., k, n) -> (..., m, n), and count it as part of `component`.

    Arrays of different types are refused: NumPy would widen one of them without a word.
    """
    product: Array = np.matmul(a, b, out=out, casting="no")
    counts = _counts.get()
    if counts is not None:
        # Each number of the result is a sum of k multiply-adds.
        counts[component] += 2 * product.size * a.shape[-1]
    return product


class Scratch:
    """Memory to write results into, by name; kept from layer to layer, as new pages cost more than the arithmetic."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        self._flat: dict[str, Array] = {}

    def get(self, name: str, *shape: int) -> Array:
        """Return an array of this shape, over the memory of the last one of this name."""
        size = math.prod(shape)
        if name not in self._flat or self._flat[name].size < size:
            self._flat.pop(name, None)
            self._flat[name] = np.empty(size, self.dtype)
        return self._flat[name][:size].reshape(shape)


def rows_times_rows(component: str, x: Array, table: Array, out: Array) -> Array:
    """Return the products of each row of x with each row of a table, x tableᵀ, in `out`.

    x (..., m, k), table (..., n, k) -> (..., m, n). For few rows, BLAS is many times slower than memory: up to 3 are
    better one by one, each a product with a vector, and up to 16 the other way round, as few columns.
    """
    n_rows = x.shape[-2]
    if 1 < n_rows <= 3:
        # (..., m, 1, k) (..., 1, k, n) -> (..., m, 1, n)
        matmul(component, x[..., None, :], table.swapaxes(-1, -2)[..., None, :, :], out[..., None, :])
    elif 3 < n_rows <= 16:
        out[...] = matmul(component, table, x.swapaxes(-1, -2)).swapaxes(-1, -2)  # (..., n, m) -> (..., m, n)
    else:
        matmul(component, x, table.swapaxes(-1, -2), out)
    return out


def linear(component: str, x: Array, weight: Array, bias: Array | None, out: Array) -> Array:
    """Return x Wᵀ + b in `out`: x (N, in), weight (out, in), bias (out) -> (N, out)."""
    rows_times_rows(component, x, weight, out)
    if bias is not None:
        out += bias
    return out


def rms_norm(x: Array, gain: Array, eps: float, out: Array) -> Array:
    """Return x / sqrt(mean(x²) + eps) · gain over the last axis, in `out`: Zhang & Sennrich 2019."""
    np.multiply(x, x, out=out)
    scale = np.add.reduce(out, axis=-1, keepdims=True)  # (..., D) -> (..., 1)
    scale /= x.shape[-1]
    scale += eps
    np.sqrt(scale, out=scale)
    np.divide(x, scale, out=out)  # (..., D)
    out *= gain
    return out


def layer_norm(x: Array, gain: Array, bias: Array, eps: float, out: Array) -> Array:
    """Return (x - mean(x)) / sqrt(var(x) + eps) · gain + bias over the last axis, in `out`: Ba et al. 2016."""
    mean = np.add.reduce(x, axis=-1, keepdims=True)  # (..., D) -> (..., 1)
    mean /= x.shape[-1]
    np.subtract(x, mean, out=out)
    scale = np.add.reduce(out * out, axis=-1, keepdims=True)  # (..., D) -> (..., 1)
    scale /= x.shape[-1]
    scale += eps
    np.sqrt(scale, out=scale)
    out /= scale
    out *= gain
    out += bias
    return out


def swiglu(gate: Array, up: Array) -> Array:
    """Return silu(gate) · up = gate · up / (1 + exp(-gate)), in the place of `up`: Shazeer 2020."""
    up *= gate
    np.negative(gate, out=gate)
    with np.errstate(over="ignore"):  # The exponential of 89 is infinite, and dividing by it right.
        np.exp(gate, out=gate)
    gate += 1
    up /= gate
    return up


def gelu(x: Array, scratch: Array) -> Array:
    """Return x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))), in the place of `x`: Hendrycks & Gimpel 2016, as in GPT-2."""
    np.multiply(x, x, out=scratch)
    scratch *= 0.044715
    scratch += 1
    scratch *= x
    scratch *= math.sqrt(2 / math.pi)
    np.tanh(scratch, out=scratch)
    scratch += 1
    scratch *= 0.5
    x *= scratch
    return x


def rotary_turns(
    positions: npt.NDArray[np.integer[Any]], head_dim: int, theta: float, dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    """Return exp(i t θ^(-2j/A)) for positions t (B, T) and pairs j, (B, T, 1, A / 2): RoPE's turns, Su et al. 2021.

    Angles are made in float64: in float32, those of late positions would be off by more than weights are.
    """
    speeds = theta ** (np.arange(0, head_dim, 2) / -head_dim)  # (A / 2)
    angles = positions[..., None, None] * speeds  # (B, T) -> (B, T, 1, A / 2)
    turns: npt.NDArray[Any] = np.exp(1j * angles).astype(np.result_type(dtype, np.complex64))
    return turns


def rotate(x: Array, turns: npt.NDArray[Any]) -> None:
    """Turn each adjacent pair of x (B, T, H, A), in its place, by turns (B or 1, T, 1, A / 2).

    A pair (a, b) is the complex number a + ib, and to turn it is one multiplication.
    """
    pairs = x.view(turns.dtype)  # (B, T, H, A) -> (B, T, H, A / 2)
    pairs *= turns


def attention(
    q: Array, keys: Array, values: Array, hidden: npt.NDArray[np.bool_] | None, scratch: Scratch, out: Array
) -> Array:
    """Return softmax(Q Kᵀ / √A) V, in `out`: Vaswani et al. 2017; groups of heads that share keys: Ainslie et al. 2023.

    Parameters
    ----------
    q : (B, T, H, A)
    keys, values : (B, K, S, A)
    hidden : (B or 1, T, up to S) or None
        Which of the last keys a query must not see; of the keys before, all are seen.
    out : (B, T, H, A)
    """
    n_batch, n_queries, n_heads, head_dim = q.shape
    n_kv_heads, n_keys = keys.shape[1:3]
    group = n_heads // n_kv_heads
    # The queries of a group stand below each other, so that keys and values are used as they lie.
    stacked = scratch.get("stacked", n_batch, n_kv_heads, group, n_queries, head_dim)
    by_group = q.reshape(n_batch, n_queries, n_kv_heads, group, head_dim)  # (B, T, H, A) -> (B, T, K, G, A)
    np.multiply(by_group.transpose(0, 2, 3, 1, 4), head_dim**-0.5, out=stacked)  # -> (B, K, G, T, A)
    stacked = stacked.reshape(n_batch, n_kv_heads, group * n_queries, head_dim)  # (B, K, G, T, A) -> (B, K, G T, A)
    found = scratch.get("found", *stacked.shape)
    step = max(1, min(n_kv_heads, SCORES_AT_A_TIME // (n_batch * group * n_queries * n_keys)))
    for first in range(0, n_kv_heads, step):
        some = slice(first, min(first + step, n_kv_heads))
        scores = scratch.get("scores", n_batch, some.stop - first, group * n_queries, n_keys)
        rows_times_rows("scores", stacked[:, some], keys[:, some], scores)  # (B, K, G T, A) -> (B, K, G T, S)
        if hidden is not None:
            last = scores.reshape(n_batch, -1, group, n_queries, n_keys)[..., n_keys - hidden.shape[-1] :]
            np.copyto(last, -np.inf, where=hidden[:, None, None])
        scores -= np.maximum.reduce(scores, axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        matmul("values", scores, values[:, some], found[:, some])  # (B, K, G T, S) (B, K, S, A) -> (B, K, G T, A)
        # Rows of weights sum to 1. To divide what they gave is less work than to divide the weights.
        found[:, some] /= np.add.reduce(scores, axis=-1, keepdims=True)
    by_query = found.reshape(n_batch, n_kv_heads, group, n_queries, head_dim).transpose(0, 3, 1, 2, 4)
    out.reshape(by_query.shape)[...] = by_query  # (B, T, K, G, A) -> (B, T, H, A)
    return out

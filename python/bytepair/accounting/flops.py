"""FLOPs of the matrix products of a forward pass: one multiply-add is 2 FLOPs.

A product of an (m, k) and a (k, n) matrix takes ``2·m·k·n`` FLOPs. Everything else a forward pass does (norms, softmax,
activation, rotation, look-up of embeddings) is not counted: it grows with the arrays, not with their products.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from bytepair.accounting.breakdown import Breakdown, check_counts, letters
from bytepair.transformer.config import PREFILL_CHUNK, Config

__all__ = ["ATTENTION", "Causal", "Product", "decode_flops", "forward_flops", "pairs", "products"]

Causal = Literal["full", "exact", "executed"]

# The two products that grow with the square of the length.
ATTENTION = ("scores", "values")


class Product(NamedTuple):
    """`times` products of an (m, k) and a (k, n) matrix."""

    component: str
    times: int
    m: int
    k: int
    n: int

    @property
    def flops(self) -> int:
        """Of all of them together."""
        return 2 * self.times * self.m * self.k * self.n

    def moved(self, n_bytes: int) -> int:
        """Return the bytes of operands and results, each read or written once, at `n_bytes` an element."""
        return self.times * (self.m * self.k + self.k * self.n + self.m * self.n) * n_bytes


def products(config: Config, seq_len: int, batch: int, past: int, *, last_only: bool) -> list[Product]:
    """Return the matrix products of a forward pass, all keys computed for all queries."""
    layers, d, f = config.num_layers, config.d_model, config.d_ff
    kv, a = config.num_kv_heads, config.head_dim
    rows, group, keys = batch * seq_len, config.num_heads // kv, past + seq_len
    return [
        Product("qkv", layers, rows, d, (config.num_heads + 2 * kv) * a),
        Product("scores", layers * batch * kv, group * seq_len, a, keys),
        Product("values", layers * batch * kv, group * seq_len, keys, a),
        Product("output", layers, rows, config.num_heads * a, d),
        *[Product("ffn", layers, rows, d, f)] * (2 if config.activation == "swiglu" else 1),
        Product("ffn", layers, rows, f, d),
        Product("head", 1, batch if last_only else rows, d, config.vocab_size),
    ]


def pairs(seq_len: int, past: int, causal: Causal, chunk: int) -> int:
    """Return for how many pairs of a query and a key one head computes a score.

    Parameters
    ----------
    seq_len : int
        Queries.
    past : int
        Keys in the cache before them.
    causal : {"full", "exact", "executed"}
        Each query with all keys; with those that it may see; with those up to the end of its chunk.
    chunk : int
        Queries of a chunk, where it is "executed".

    Examples
    --------
    >>> from bytepair.accounting.flops import pairs
    >>> [pairs(4, 0, causal, chunk=2) for causal in ("full", "exact", "executed")]
    [16, 10, 12]
    """
    if causal == "full":
        return seq_len * (past + seq_len)
    if causal == "exact":
        chunk = 1
    elif causal != "executed":
        raise ValueError(f"causal must be 'full', 'exact' or 'executed', not {causal!r}")
    whole, rest = divmod(seq_len, chunk)
    # Chunk i of the whole ones has `chunk` queries and past + i·chunk keys.
    return chunk * (whole * past + chunk * whole * (whole + 1) // 2) + rest * (past + seq_len)


def forward_flops(
    config: Config,
    seq_len: int,
    batch: int = 1,
    *,
    past: int = 0,
    causal: Causal = "full",
    chunk: int = PREFILL_CHUNK,
    last_only: bool = False,
) -> Breakdown:
    """Return the FLOPs of the matrix products of a forward pass.

    With B sequences of T queries, S = past + T keys and P pairs of a query and a key that a head computes::

        qkv     2·L·B·T·D·(H + 2·K)·A        scores  2·L·B·H·A·P        values  2·L·B·H·A·P
        output  2·L·B·T·H·A·D                ffn     2·L·B·T·D·F·3      head    2·B·T·D·V

    (2 instead of 3 matrices in an FFN without gate). PyTorch's counter gives the same, and so do Chowdhery et al.,
    *PaLM*, 2022, appendix B, for all pairs: their 12·L·H·Q·T for each token of training is three times 4·L·H·A·T.

    Parameters
    ----------
    config : Config
    seq_len : int
        T, queries a sequence. It may exceed the model's context: what a longer one would cost.
    batch : int, default 1
        B, sequences.
    past : int, default 0
        Keys and values in the cache before the first query.
    causal : {"full", "exact", "executed"}, default "full"
        P is T·S, as papers count; or only the pairs that the mask allows, T·past + T·(T+1)/2; or what `Transformer`
        computes: queries come in chunks, and keys beyond a chunk are left out.
    chunk : int
        Queries of a chunk, where it is "executed"; by default what the model takes.
    last_only : bool, default False
        Logits of the last position alone.

    Returns
    -------
    Breakdown
        In FLOPs; one multiply-add is 2.

    Raises
    ------
    TypeError, ValueError
        A count is no positive integer, or `causal` is unknown.

    Examples
    --------
    >>> from bytepair.accounting import forward_flops
    >>> from bytepair.transformer import Config
    >>> notes = Config.preset("gpt2-xl-notes")
    >>> forward_flops(notes, 1024).total
    4513336524800
    >>> forward_flops(notes, 1024, causal="exact").total
    4352432537600
    >>> forward_flops(notes, 1024).components["ffn"]
    3019898880000
    """
    check_counts(seq_len=seq_len, batch=batch, chunk=chunk)
    check_counts(0, past=past)
    n_pairs = pairs(seq_len, past, causal, chunk)
    components: dict[str, int] = {}
    for product in products(config, seq_len, batch, past, last_only=last_only):
        flops = product.flops
        if product.component in ATTENTION:
            flops = flops * n_pairs // (seq_len * (past + seq_len))
        components[product.component] = components.get(product.component, 0) + flops
    square = "T·S" if causal == "full" else "P"
    formulas = {
        "qkv": "2·L·B·T·D·(H + 2·K)·A",
        "scores": f"2·L·B·H·A·{square}",
        "values": f"2·L·B·H·A·{square}",
        "output": "2·L·B·T·H·A·D",
        "ffn": f"2·L·B·T·D·F·{3 if config.activation == 'swiglu' else 2}",
        "head": f"2·B·{'1' if last_only else 'T'}·D·V",
    }
    known = {"B": batch, "T": seq_len, "S": past + seq_len} | ({} if causal == "full" else {"P": n_pairs})
    return Breakdown("FLOPs of a forward pass", "FLOPs", components, formulas, letters(config, **known))


def decode_flops(config: Config, cache_length: int, batch: int = 1) -> Breakdown:
    """Return the FLOPs of the matrix products that make one more token of each sequence.

    It is `forward_flops` of one query: its key is the last of ``cache_length + 1``.

    Parameters
    ----------
    config : Config
    cache_length : int
        Tokens in the cache before this one.
    batch : int, default 1
        Sequences.

    Returns
    -------
    Breakdown
        In FLOPs; one multiply-add is 2.

    Raises
    ------
    TypeError, ValueError
        A count is no integer, or too small.

    Examples
    --------
    >>> from bytepair.accounting import decode_flops
    >>> from bytepair.transformer import Config
    >>> notes = Config.preset("gpt2-xl-notes")
    >>> decode_flops(notes, 0).total, decode_flops(notes, 1023).total
    (4093289600, 4407555200)
    """
    check_counts(0, cache_length=cache_length)
    return forward_flops(config, 1, batch, past=cache_length)

"""Bytes of inference: the cache of keys and values, what a prompt needs, and what one more token must read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bytepair.accounting.breakdown import Breakdown, check_counts, letters
from bytepair.accounting.flops import forward_flops, products
from bytepair.accounting.parameters import Dtype, bytes_of, weight_bytes
from bytepair.transformer.config import POSITIONS_AT_A_TIME, PREFILL_CHUNK, SCORES_AT_A_TIME, Config

__all__ = ["Intensity", "arithmetic_intensity", "decode_bytes", "kv_cache_bytes", "prefill_bytes"]


def kv_cache_bytes(config: Config, length: int, batch: int = 1, dtype: Dtype = "float32") -> Breakdown:
    """Return the bytes of the keys and values of all layers: B·S·L·K·A numbers each.

    Pope et al., *Efficiently Scaling Transformer Inference*, 2022, section 2. Fewer heads of keys and values than of
    queries (K < H) make it smaller by that factor.

    Parameters
    ----------
    config : Config
    length : int
        S, tokens in the cache.
    batch : int, default 1
        B, sequences.
    dtype : {"float32", "bfloat16", "float16", "int8"}, default "float32"

    Returns
    -------
    Breakdown
        In bytes.

    Raises
    ------
    TypeError, ValueError
        A count is no positive integer, or `dtype` is unknown.

    Examples
    --------
    >>> from bytepair.accounting import kv_cache_bytes
    >>> from bytepair.transformer import Config
    >>> notes = Config.preset("gpt2-xl-notes")
    >>> kv_cache_bytes(notes, 1).total, kv_cache_bytes(notes, 1024).total
    (614400, 629145600)
    """
    check_counts(length=length, batch=batch)
    n_bytes = bytes_of(dtype)
    each = n_bytes * batch * length * config.num_layers * config.num_kv_heads * config.head_dim
    formula = f"{n_bytes}·B·S·L·K·A"
    return Breakdown(
        f"Bytes of the cache as {dtype}",
        "bytes",
        {"keys": each, "values": each},
        {"keys": formula, "values": formula},
        letters(config, B=batch, S=length),
    )


def decode_bytes(config: Config, cache_length: int, batch: int = 1, dtype: Dtype = "float32") -> Breakdown:
    """Return the bytes that making one more token of each sequence must read: all weights, and all of the cache.

    Of the embedding only one row a sequence is read, unless it is the head too. What is computed on the way is small
    and stays in the processor's caches, so it is not counted.

    Parameters
    ----------
    config : Config
    cache_length : int
        Tokens in the cache before this one, 0 or more.
    batch : int, default 1
        B, sequences.
    dtype : {"float32", "bfloat16", "float16", "int8"}, default "float32"
        Of weights and cache.

    Returns
    -------
    Breakdown
        In bytes.

    Raises
    ------
    TypeError, ValueError
        A count is no integer or too small, or `dtype` is unknown.

    Examples
    --------
    >>> from bytepair.accounting import decode_bytes
    >>> from bytepair.transformer import Config
    >>> notes = Config.preset("gpt2-xl-notes")
    >>> decode_bytes(notes, 0).components["weights"]
    8186585600
    """
    check_counts(0, cache_length=cache_length)
    cache = kv_cache_bytes(config, cache_length + 1, batch, dtype)
    weights = weight_bytes(config, dtype)
    n_bytes = bytes_of(dtype)
    # The tables that are looked into: a row for each sequence.
    tables = ["position"] if config.tie_embeddings else ["embedding", "position"]
    tables = [name for name in tables if name in weights.components]
    components = {
        "weights": weights.total - sum(weights.components[name] for name in tables),
        "rows": n_bytes * batch * config.d_model * len(tables),
        "cache": cache.total,
    }
    formulas = {
        "weights": f"{n_bytes}·(parameters - {' - '.join(tables)})" if tables else f"{n_bytes}·parameters",
        "rows": f"{n_bytes}·B·{len(tables)}·D",
        "cache": f"{2 * n_bytes}·B·S·L·K·A",
    }
    return Breakdown("Bytes read for one more token", "bytes", components, formulas, cache.letters)


def prefill_bytes(
    config: Config, seq_len: int, batch: int = 1, *, chunk: int = PREFILL_CHUNK, last_only: bool = True
) -> Breakdown:
    """Return the peak of the bytes that `Transformer` needs beside its weights to read a prompt into an empty cache.

    All tokens are in the stream and in the cache, but only c of them, which are chunks of q, go through a layer at a
    time, in arrays that all layers share. The scores of a chunk lie in memory for some heads at a time: Q numbers.

    Parameters
    ----------
    config : Config
    seq_len : int
        T, tokens of the prompt.
    batch : int, default 1
        B, prompts.
    chunk : int
        q, the most tokens of a prompt whose scores are computed together; by default what the model takes.
    last_only : bool, default True
        Logits of the last position alone.

    Returns
    -------
    Breakdown
        In bytes, of float32.

    Raises
    ------
    TypeError, ValueError
        A count is no positive integer.

    Examples
    --------
    >>> from bytepair.accounting import prefill_bytes
    >>> from bytepair.transformer import Config
    >>> print(prefill_bytes(Config.preset("gpt2-xl-notes"), 1024))
    Bytes to read a prompt                                             bytes   share
      stream       4·B·T·D                                         6,553,600  0.96 %
      cache        8·B·T·L·K·A                                   629,145,600 92.34 %
      attention    4·B·(c·(3·D + 2·K·A) + q·2·D)                  18,022,400  2.65 %
      scores       4·Q                                             1,048,576  0.15 %
      ffn          4·B·c·2·F                                      26,214,400  3.85 %
      masks        T·q                                               131,072  0.02 %
      logits       4·B·1·max(V, D)                                   201,028  0.03 %
      total                                                      681,316,676
                                                  = 681.317 MB = 649.754 MiB
      B 1 · T 1,024 · c 512 · q 128 · Q 262,144 · D 1,600 · K 25 · A 64 · F 6,400
      V 50,257 · L 48
    """
    check_counts(seq_len=seq_len, batch=batch, chunk=chunk)
    q, c = (min(n, seq_len) for n in (chunk, chunk * max(1, POSITIONS_AT_A_TIME // chunk)))
    kv_wide = config.num_kv_heads * config.head_dim
    group = config.num_heads // config.num_kv_heads
    one_head = batch * group * q * seq_len
    scores = min(config.num_kv_heads * one_head, max(SCORES_AT_A_TIME, one_head))
    rows = batch if last_only else batch * seq_len
    components = {
        "stream": 4 * batch * seq_len * config.d_model,
        "cache": kv_cache_bytes(config, seq_len, batch).total,
        # What comes in normalised, queries, what heads found, keys and values; of a chunk, both of these by head.
        "attention": 4 * batch * (c * (3 * config.d_model + 2 * kv_wide) + q * 2 * config.d_model),
        "scores": 4 * scores,
        "ffn": 4 * batch * c * 2 * config.d_ff,
        "masks": seq_len * q,
        "logits": 4 * rows * max(config.vocab_size, config.d_model),
    }
    formulas = {
        "stream": "4·B·T·D",
        "cache": "8·B·T·L·K·A",
        "attention": "4·B·(c·(3·D + 2·K·A) + q·2·D)",
        "scores": "4·Q",
        "ffn": "4·B·c·2·F",
        "masks": "T·q",
        "logits": f"4·B·{'1' if last_only else 'T'}·max(V, D)",
    }
    known = letters(config, B=batch, T=seq_len, c=c, q=q, Q=scores)
    return Breakdown("Bytes to read a prompt", "bytes", components, formulas, known)


@dataclass(frozen=True)
class Intensity:
    """FLOPs beside the bytes that they need, by component.

    Attributes
    ----------
    flops, moved : Breakdown
        In FLOPs and in bytes, of the same components.
    """

    flops: Breakdown
    moved: Breakdown

    def ratio(self, name: str | None = None) -> float:
        """Return the FLOPs for each byte of one component; without a name, of all together."""
        if name is None:
            return self.flops.total / self.moved.total
        return self.flops.components[name] / self.moved.components[name]

    def as_dict(self) -> dict[str, Any]:
        """Return what `bytepair account --json` prints of it."""
        return {"total": self.ratio(), "components": {name: self.ratio(name) for name in self.flops.components}}

    def __str__(self) -> str:
        """Return a table of 80 columns."""
        lines = [f"{'Arithmetic intensity':20}{'FLOPs':>25}{'bytes':>23}{'FLOPs/byte':>12}"]
        for name in (*self.flops.components, None):
            flops, moved = (
                found.total if name is None else found.components[name] for found in (self.flops, self.moved)
            )
            lines.append(f"  {name or 'total':18}{flops:25,}{moved:23,}{self.ratio(name):12.2f}")
        return "\n".join(lines)


def arithmetic_intensity(
    config: Config, seq_len: int, batch: int = 1, *, past: int = 0, dtype: Dtype = "float32"
) -> Intensity:
    """Return the FLOPs for each byte that the products of a forward pass must move.

    A product of an (m, k) and a (k, n) matrix takes 2·m·k·n FLOPs and moves m·k + k·n + m·n numbers, if each operand is
    read once and the result is written once. Where that is below a machine's FLOP/s divided by its bytes/s, memory
    decides how long it takes (Williams et al., *Roofline*, 2009). One query has about 2 FLOPs for each number read,
    however long the cache: decoding is bound by memory.

    Parameters
    ----------
    config : Config
    seq_len : int
        T, queries a sequence: 1 to decode.
    batch : int, default 1
        B, sequences. They share weights, but no keys and values.
    past : int, default 0
        Keys and values in the cache before the first query.
    dtype : {"float32", "bfloat16", "float16", "int8"}, default "float32"

    Returns
    -------
    Intensity
        In FLOPs a byte.

    Raises
    ------
    TypeError, ValueError
        A count is no positive integer, or `dtype` is unknown.

    Examples
    --------
    >>> from bytepair.accounting import arithmetic_intensity
    >>> from bytepair.transformer import Config
    >>> notes = Config.preset("gpt2-xl-notes")
    >>> [round(arithmetic_intensity(notes, rows).ratio("output"), 2) for rows in (1, 8, 64, 1024)]
    [0.5, 3.96, 29.63, 224.56]
    """
    flops = forward_flops(config, seq_len, batch, past=past)
    n_bytes = bytes_of(dtype)
    moved: dict[str, int] = {}
    for product in products(config, seq_len, batch, past, last_only=False):
        moved[product.component] = moved.get(product.component, 0) + product.moved(n_bytes)
    formulas = dict.fromkeys(moved, f"{n_bytes}·(m·k + k·n + m·n)")
    return Intensity(flops, Breakdown("Bytes of the products", "bytes", moved, formulas, flops.letters))

"""Trainable parameters, and the bytes that they take."""

from __future__ import annotations

from typing import Literal

from bytepair.accounting.breakdown import Breakdown, letters
from bytepair.transformer.config import Config

__all__ = ["BYTES", "Dtype", "parameters", "weight_bytes"]

Dtype = Literal["float32", "bfloat16", "float16", "int8"]

# Bytes of one number. What a quantised format adds, such as scales, is not in it.
BYTES: dict[Dtype, int] = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}


def parameters(config: Config) -> Breakdown:
    """Return the trainable parameters of a model.

    ::

        embedding  V·D              position  C·D of a context of C where positions are learned
        qkv        L·D·(H + 2·K)·A  output    L·H·A·D
        ffn        L·3·D·F          norms     (2·L + 1)·D
        head       V·D

    of which the head is 0 where it is the embedding, an FFN without gate has 2 matrices instead of 3, LayerNorm has
    twice as many, and linear layers with a bias have one more for each of their outputs. These are the sizes of the
    arrays of `Transformer`, which they are tested against.

    Parameters
    ----------
    config : Config

    Returns
    -------
    Breakdown
        In parameters.

    Examples
    --------
    >>> from bytepair.accounting import parameters
    >>> from bytepair.transformer import Config
    >>> parameters(Config.preset("gpt2-xl-notes")).total
    2127057600
    >>> parameters(Config.preset("smollm2-135m")).total
    134515008
    """
    d, f, layers = config.d_model, config.d_ff, config.num_layers
    heads, inner = (config.num_heads + 2 * config.num_kv_heads) * config.head_dim, config.num_heads * config.head_dim
    matrices = 3 if config.activation == "swiglu" else 2
    found = {
        "embedding": (config.vocab_size * d, "V·D"),
        "position": (config.context_length * d, "C·D"),
        "qkv": (layers * d * heads, "L·D·(H + 2·K)·A"),
        "output": (layers * inner * d, "L·H·A·D"),
        "ffn": (layers * matrices * d * f, f"L·{matrices}·D·F"),
        "norms": ((2 * layers + 1) * d, "(2·L + 1)·D"),
        "head": (config.vocab_size * d, "V·D"),
    }
    if config.norm == "layer":
        found["norms"] = ((2 * layers + 1) * 2 * d, "(2·L + 1)·2·D")
    if config.bias != "none":
        found["qkv"] = (layers * (d + 1) * heads, "L·(D + 1)·(H + 2·K)·A")
    if config.bias == "all":
        found["output"] = (layers * (inner + 1) * d, "L·(H·A + 1)·D")
        inwards = matrices - 1
        found["ffn"] = (
            layers * (inwards * (d + 1) * f + (f + 1) * d),
            f"L·({'2·' * (inwards - 1)}(D + 1)·F + (F + 1)·D)",
        )
    if config.position == "rope":
        del found["position"]
    if config.tie_embeddings:
        found["head"] = (0, "0 (the embedding)")
    return Breakdown(
        "Parameters",
        "parameters",
        {name: count for name, (count, _) in found.items()},
        {name: formula for name, (_, formula) in found.items()},
        letters(config, **({"C": config.context_length} if "position" in found else {})),
    )


def weight_bytes(config: Config, dtype: Dtype = "float32") -> Breakdown:
    """Return the bytes of a model's parameters, all stored in one type.

    Parameters
    ----------
    config : Config
    dtype : {"float32", "bfloat16", "float16", "int8"}, default "float32"
        4, 2, 2 and 1 bytes a parameter.

    Returns
    -------
    Breakdown
        In bytes.

    Raises
    ------
    ValueError
        `dtype` is unknown.

    Examples
    --------
    >>> from bytepair.accounting import weight_bytes
    >>> from bytepair.transformer import Config
    >>> weight_bytes(Config.preset("gpt2-xl-notes")).total
    8508230400
    """
    n_bytes = bytes_of(dtype)
    found = parameters(config)
    return Breakdown(
        f"Bytes of the parameters as {dtype}",
        "bytes",
        {name: count * n_bytes for name, count in found.components.items()},
        {name: f"{n_bytes}·{formula}" for name, formula in found.formulas.items()},
        found.letters,
    )


def bytes_of(dtype: Dtype) -> int:
    """Return the bytes of one number of a type.

    Raises
    ------
    ValueError
        The type is unknown.
    """
    if dtype not in BYTES:
        raise ValueError(f"dtype must be one of {', '.join(BYTES)}, not {dtype!r}")
    return BYTES[dtype]

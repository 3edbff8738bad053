"""The forward pass of a decoder-only transformer, from token ids to logits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bytepair.errors import ShapeError, TokenIdError
from bytepair.transformer import ops
from bytepair.transformer.cache import KVCache
from bytepair.transformer.config import POSITIONS_AT_A_TIME, PREFILL_CHUNK, Config
from bytepair.transformer.ops import Array, Scratch
from bytepair.transformer.weights import Weights, initial, tensors_of

__all__ = ["Transformer"]


@dataclass(frozen=True)
class _Chunk:
    """Positions of a stretch whose scores are computed together."""

    start: int
    stop: int
    # The keys that they may see, of the longest sequence.
    n_keys: int
    # Which of the last keys a query must not see, (B or 1, T, S).
    hidden: npt.NDArray[np.bool_] | None


@dataclass(frozen=True)
class _Stretch:
    """Positions of all sequences that go through a layer together, and what is the same for each layer."""

    start: int
    stop: int
    # Where the keys of rows go: rows, first position in the cache, how many.
    spans: list[tuple[slice, int, int]]
    # Turns of rotary positions, (B or 1, T, 1, A / 2).
    turns: npt.NDArray[Any] | None
    chunks: list[_Chunk]


class Transformer:
    """A decoder-only transformer: RMSNorm or LayerNorm, RoPE or learned positions, SwiGLU or GELU, as its config says.

    Made by `init`, `from_state_dict` or `load`. It does not change, and threads can share it.

    Attributes
    ----------
    config : Config
    weights : Weights
        The arrays by name; matrices are (out, in). Rotary positions turn adjacent pairs of queries and keys.

    Examples
    --------
    >>> from bytepair.transformer import Config, Transformer
    >>> config = Config(vocab_size=257, context_length=64, num_layers=2, d_model=64, num_heads=4, d_ff=176)
    >>> model = Transformer.init(config, seed=0)
    >>> model([[72, 105], [33, 10]]).shape
    (2, 2, 257)
    """

    def __init__(self, config: Config, weights: Weights) -> None:
        self.config = config
        self.weights = weights

    @classmethod
    def init(cls, config: Config, seed: int) -> Transformer:
        """Return a model with random weights, the same for the same seed.

        Parameters
        ----------
        config : Config
        seed : int

        Returns
        -------
        Transformer
        """
        return cls(config, Weights(config, initial(config, seed), np.float32, False))

    @classmethod
    def from_state_dict(
        cls,
        config: Config,
        arrays: Mapping[str, npt.ArrayLike],
        *,
        dtype: Literal["float32", "float64"] = "float32",
    ) -> Transformer:
        """Return a model with these weights.

        Parameters
        ----------
        config : Config
        arrays : mapping of str to array
            ``token_embeddings.weight``, ``layers.0.attn.q_proj.weight`` and so on: names and shapes are those of
            `parameter_shapes`. Arrays of `dtype` are used as they lie, not copied.
        dtype : {"float32", "float64"}, default "float32"
            What the model computes in; float64 is for comparing with a reference.

        Returns
        -------
        Transformer

        Raises
        ------
        ShapeError
            An array is missing, unknown, of the wrong shape or type, or not finite.
        """
        return cls(config, Weights(config, tensors_of(arrays), dtype, False))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, low_memory: bool = False) -> Transformer:
        """Read a model from a file or folder.

        Parameters
        ----------
        path : str or PathLike
            A folder with ``config.json`` and safetensors files, one of those files, or a GGUF file. Models are those
            that Hugging Face calls ``llama``, ``qwen2`` and ``gpt2``; a GGUF file may hold F32, F16, BF16, Q8_0, Q4_0
            and Q4_1.
        low_memory : bool, default False
            Keep weights as they lie in the file and widen one layer at a time, in each call: a quarter or an eighth of
            the memory, and slower by the time that widening takes. By default all are widened to float32 here; what
            is float32 already is used where it lies, mapped from the file, which must not be cut meanwhile.

        Returns
        -------
        Transformer

        Raises
        ------
        FormatError
            The file is damaged, or holds a model that is not modelled exactly.
        ShapeError
            What it says about its shape does not fit its arrays; or these are not finite.
        OSError
            The file cannot be read.
        ModuleNotFoundError
            The package that reads it, of the extra ``weights``, is not installed.
        """
        from bytepair.transformer.formats import read

        config, tensors = read(path)
        return cls(config, Weights(config, tensors, np.float32, low_memory))

    def new_cache(self, batch: int, max_length: int) -> KVCache:
        """Return an empty cache for sequences of up to `max_length` positions.

        Parameters
        ----------
        batch : int
        max_length : int
            At most the context length.

        Returns
        -------
        KVCache
        """
        for name, value in (("batch", batch), ("max_length", max_length)):
            if value < 1:
                raise ShapeError(f"{name} must be 1 or more, not {value}")
        if max_length > self.config.context_length:
            raise ShapeError(f"max_length is {max_length}, more than the context of {self.config.context_length}")
        return KVCache(self.config, batch, max_length, self.weights.dtype, self.config.num_layers)

    def __call__(
        self,
        ids: npt.ArrayLike,
        *,
        lengths: npt.ArrayLike | None = None,
        cache: KVCache | None = None,
        last_only: bool = False,
        chunk: int = PREFILL_CHUNK,
    ) -> Array:
        """Return the logits of what follows each position.

        Parameters
        ----------
        ids : array of int, shape (B, T)
            With a cache, the positions behind those in it.
        lengths : array of int, shape (B,), optional
            How many of the ids of each row count; by default all. Those behind may be any ids of the model: nothing
            looks at them, and their logits mean nothing. Rows of a batch may thus differ in length, with a cache too.
        cache : KVCache, optional
            What `new_cache` made; this call's keys and values are added. After an error it is as before.
        last_only : bool, default False
            Only the logits of the last position of each row.
        chunk : int, default 128
            How many positions have their scores computed together, with all keys up to the last of them; results are
            the same.

        Returns
        -------
        numpy.ndarray of float32, shape (B, T, V), or (B, 1, V) with `last_only`
            A row is what it would be alone, to the last bits but one: BLAS adds in another order for other shapes.

        Raises
        ------
        TokenIdError
            An id is not in 0 ... V - 1.
        ShapeError
            There are no ids, a row has none that count, or it would be longer than the context or the cache.

        Notes
        -----
        O(T (T + S) D + T N) for T positions, S in the cache and N weights.

        Examples
        --------
        Two rows, of three ids and of one:

        >>> from bytepair.transformer import Config, Transformer
        >>> config = Config(vocab_size=257, context_length=64, num_layers=2, d_model=64, num_heads=4, d_ff=176)
        >>> model = Transformer.init(config, seed=0)
        >>> logits = model([[1, 2, 3], [4, 0, 0]], lengths=[3, 1], last_only=True)
        >>> bool(abs(logits[1] - model([[4]])[0]).max() < 1e-4)
        True
        """
        config = self.config
        tokens = _check_ids(ids, config.vocab_size)
        n_batch, n_positions = tokens.shape
        counts = _check_lengths(lengths, n_batch, n_positions)
        if chunk < 1:
            raise ShapeError(f"chunk must be 1 or more, not {chunk}")
        past = np.zeros(n_batch, np.int64) if cache is None else cache.lengths.copy()
        self._check_room(past, counts, cache)
        # Without a cache, keys and values of one layer are kept, in the same place for each.
        kept = cache or KVCache(config, n_batch, n_positions, self.weights.dtype, 1)
        positions = np.minimum(past[:, None] + np.arange(n_positions), config.context_length - 1)  # (B, T)
        x = self.weights["token_embeddings.weight"][tokens]  # (B, T) -> (B, T, D)
        if config.position == "learned":
            x += self.weights["position_embeddings.weight"][positions]
        stretches = self._stretches(past, counts, positions, kept.max_length, chunk)
        scratch = Scratch(self.weights.dtype)
        for index in range(config.num_layers):
            layer = self.weights.layer(index)
            place = 0 if cache is None else index
            for part in stretches:
                _block(x[:, part.start : part.stop], layer, config, part, kept.keys[place], kept.values[place], scratch)
        if last_only:
            x = x[np.arange(n_batch), counts - 1][:, None]  # (B, T, D) -> (B, 1, D)
        x = _norm(x, self.weights, "ln_final", config, np.empty(x.shape, x.dtype))
        head = self.weights["token_embeddings.weight" if config.tie_embeddings else "lm_head.weight"]
        rows = x.reshape(-1, config.d_model)  # (B, T, D) -> (N, D)
        logits = ops.linear("head", rows, head, None, np.empty((len(rows), config.vocab_size), x.dtype))  # (N, V)
        if cache is not None:
            cache.lengths += counts
        return logits.reshape(n_batch, -1, config.vocab_size)  # (N, V) -> (B, T, V)

    def _check_room(self, past: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], cache: KVCache | None) -> None:
        if cache is not None:
            shape = (self.config.num_layers, len(counts), self.config.num_kv_heads, self.config.head_dim)
            if (*cache.keys.shape[:3], cache.keys.shape[4]) != shape or cache.keys.dtype != self.weights.dtype:
                raise ShapeError(f"the cache is for another model, or for {len(past)} rows instead of {len(counts)}")
        row = int(np.argmax(past + counts))
        total, room = int(past[row] + counts[row]), self.config.context_length
        if total > room:
            raise ShapeError(f"row {row} would have {total} positions, more than the context of {room}")
        if cache is not None and total > cache.max_length:
            raise ShapeError(f"row {row} would have {total} positions, and the cache has room for {cache.max_length}")

    def _stretches(
        self,
        past: npt.NDArray[np.int64],
        counts: npt.NDArray[np.int64],
        positions: npt.NDArray[np.int64],
        room: int,
        chunk: int,
    ) -> list[_Stretch]:
        """Cut T positions into stretches, and these into chunks."""
        n_positions = positions.shape[1]
        alike = (past == past[0]).all() and (counts == n_positions).all()
        if alike:
            past, positions = past[:1], positions[:1]

        def chunk_of(start: int, stop: int, base: int) -> _Chunk:
            n_keys = min(int(past.max()) + stop, room)
            # A query at position p sees keys 0 ... p. All queries of the chunk see this one and those before:
            first = int(past.min()) + start
            last_seen = past[:, None, None] + np.arange(start, stop)[:, None]  # (B or 1, T, 1)
            hidden = np.arange(first + 1, n_keys) > last_seen  # (B or 1, T, S)
            return _Chunk(start - base, stop - base, n_keys, hidden if hidden.any() else None)

        stretches = []
        step = chunk * max(1, POSITIONS_AT_A_TIME // chunk)
        for start in range(0, n_positions, step):
            stop = min(start + step, n_positions)
            if alike:
                spans = [(slice(None), int(past[0]) + start, stop - start)]
            else:
                present = np.clip(counts - start, 0, stop - start)
                spans = [(slice(b, b + 1), int(past[b]) + start, int(n)) for b, n in enumerate(present) if n]
            turns = None
            if self.config.position == "rope":
                at = positions[:, start:stop]
                turns = ops.rotary_turns(at, self.config.head_dim, self.config.rope_theta, self.weights.dtype)
            chunks = [chunk_of(at, min(at + chunk, stop), start) for at in range(start, stop, chunk)]
            stretches.append(_Stretch(start, stop, spans, turns, chunks))
        return stretches


def _block(
    x: Array, layer: Mapping[str, Array], config: Config, part: _Stretch, keys: Array, values: Array, scratch: Scratch
) -> None:
    """Add to x (B, T, D), in its place, what attention and the feed-forward network of a layer make of it.

    Keys and values (B, K, S, A) of these positions are written into those of the layer.
    """
    n_batch, n_queries, d_model = x.shape
    n_rows, heads = n_batch * n_queries, (n_batch, n_queries, -1, config.head_dim)

    def linear(component: str, name: str, rows: Array, into: str) -> Array:
        weight = layer[f"{name}.weight"]
        out = scratch.get(into, n_rows, len(weight))
        return ops.linear(component, rows, weight, layer.get(f"{name}.bias"), out)  # (N, in) -> (N, out)

    h = _norm(x, layer, "ln1", config, scratch.get("h", *x.shape)).reshape(n_rows, d_model)  # (B, T, D) -> (N, D)
    q = linear("qkv", "attn.q_proj", h, "q").reshape(heads)  # (N, D) -> (B, T, H, A)
    k = linear("qkv", "attn.k_proj", h, "k").reshape(heads)  # (N, D) -> (B, T, K, A)
    v = linear("qkv", "attn.v_proj", h, "v").reshape(heads)  # (N, D) -> (B, T, K, A)
    if part.turns is not None:
        ops.rotate(q, part.turns)
        ops.rotate(k, part.turns)
    for rows, first, n in part.spans:
        keys[rows, :, first : first + n] = k[rows, :n].swapaxes(1, 2)  # (B, T, K, A) -> (B, K, T, A)
        values[rows, :, first : first + n] = v[rows, :n].swapaxes(1, 2)
    attended = scratch.get("attended", *q.shape)  # (B, T, H, A)
    for chunk in part.chunks:
        some, seen = slice(chunk.start, chunk.stop), slice(chunk.n_keys)
        ops.attention(q[:, some], keys[:, :, seen], values[:, :, seen], chunk.hidden, scratch, attended[:, some])
    found = attended.reshape(n_rows, d_model)  # (B, T, H, A) -> (N, D)
    x += linear("output", "attn.output_proj", found, "h").reshape(x.shape)  # (N, D) -> (B, T, D)

    h = _norm(x, layer, "ln2", config, scratch.get("h", *x.shape)).reshape(n_rows, d_model)  # (B, T, D) -> (N, D)
    f = linear("ffn", "ffn.w1", h, "w1")  # (N, D) -> (N, F)
    if config.activation == "swiglu":
        f = ops.swiglu(f, linear("ffn", "ffn.w3", h, "w3"))  # (N, F)
    else:
        f = ops.gelu(f, scratch.get("w3", *f.shape))  # (N, F)
    h = linear("ffn", "ffn.w2", f, "h")  # (N, F) -> (N, D)
    x += h.reshape(x.shape)  # (N, D) -> (B, T, D)
    assert h.dtype == found.dtype == x.dtype, "a wider type would make everything after it slow"


def _norm(x: Array, weights: Mapping[str, Array], name: str, config: Config, out: Array) -> Array:
    gain = weights[f"{name}.weight"]
    if config.norm == "rms":
        return ops.rms_norm(x, gain, config.norm_eps, out)
    return ops.layer_norm(x, gain, weights[f"{name}.bias"], config.norm_eps, out)


def _check_ids(ids: npt.ArrayLike, vocab_size: int) -> npt.NDArray[np.integer[Any]]:
    """Return ids as an array (B, T)."""
    try:
        tokens = np.asarray(ids)
    except ValueError:
        raise ShapeError(
            "rows of ids must have one length; fill them up with any id of the model, and pass lengths="
        ) from None
    if tokens.ndim != 2:
        raise ShapeError(f"ids must have two axes, batch and position, not {tokens.ndim}; for one sequence: [ids]")
    if tokens.size == 0:
        raise ShapeError(f"there are no ids: their shape is {tokens.shape}")
    if tokens.dtype.kind not in "iu":
        raise ShapeError(f"ids must be integers, not {tokens.dtype}")
    wrong = (tokens < 0) | (tokens >= vocab_size)
    if wrong.any():
        row, position = (int(i) for i in np.argwhere(wrong)[0])
        token_id = int(tokens[row, position])
        message = f"row {row}, position {position}: the id {token_id} is not in 0 ... {vocab_size - 1}"
        raise TokenIdError(message, token_id, position)
    return tokens


def _check_lengths(lengths: npt.ArrayLike | None, n_batch: int, n_positions: int) -> npt.NDArray[np.int64]:
    """Return how many ids of each row count, (B,)."""
    if lengths is None:
        return np.full(n_batch, n_positions)
    counts = np.asarray(lengths)
    if counts.shape != (n_batch,) or counts.dtype.kind not in "iu":
        raise ShapeError(f"lengths must be {n_batch} integers, one for each row of ids")
    for row, count in enumerate(counts.tolist()):
        if not 0 < count <= n_positions:
            what = "nothing of it would be seen" if count == 0 else f"it has {n_positions} ids"
            raise ShapeError(f"lengths: {count} for row {row}, and {what}")
    return counts.astype(np.int64)

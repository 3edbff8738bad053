"""What a decoder-only transformer is before it has weights: its shape, checked, and shapes known by name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from bytepair.errors import ShapeError

__all__ = [
    "COMPONENTS",
    "POSITIONS_AT_A_TIME",
    "PREFILL_CHUNK",
    "SCORES_AT_A_TIME",
    "Activation",
    "Bias",
    "Config",
    "Norm",
    "Position",
]

# What the products of a forward pass belong to, in the order in which they are computed: projections to queries, keys
# and values; queries with keys; weights with values; the projection of what heads found; the feed-forward network;
# logits.
COMPONENTS = ("qkv", "scores", "values", "output", "ffn", "head")

# The most positions whose scores are computed at a time. A chunk that ends at position e has e keys, those behind it
# are never looked at.
PREFILL_CHUNK = 128

# The most positions that go through a layer together, in whole chunks: more would need more memory, and fewer would
# read the weights more often.
POSITIONS_AT_A_TIME = 512

# The most scores of several heads that are computed at a time: so many lie in a processor's cache while softmax goes
# over them.
SCORES_AT_A_TIME = 2**18

Activation = Literal["swiglu", "gelu"]
Norm = Literal["rms", "layer"]
Position = Literal["rope", "learned"]
Bias = Literal["none", "qkv", "all"]


@dataclass(frozen=True)
class Config:
    """The shape of a decoder-only transformer with norms before attention and before the feed-forward network.

    Parameters
    ----------
    vocab_size : int
        V, the number of token ids.
    context_length : int
        The most positions of a sequence.
    num_layers : int
        L.
    d_model : int
        D, the width of the residual stream; a multiple of `num_heads`.
    num_heads : int
        H. A head has A = D / H dimensions, an even number where `position` is ``"rope"``.
    d_ff : int
        F, the width of the feed-forward network.
    num_kv_heads : int, optional
        K, heads of keys and values; each serves H / K heads of queries. By default H.
    rope_theta : float, default 10000.0
        Base of the angles of rotary positions.
    norm_eps : float, default 1e-5
        What is added to the mean square, or to the variance, under the root.
    tie_embeddings : bool, default False
        The output layer is the embedding table.
    activation : {"swiglu", "gelu"}
        ``"swiglu"`` has three matrices, ``W2 (silu(W1 x) * W3 x)``; ``"gelu"`` two, ``W2 gelu(W1 x)``, the tanh form.
    norm : {"rms", "layer"}
        ``"rms"`` has a gain, ``"layer"`` a gain and a bias.
    position : {"rope", "learned"}
        ``"rope"`` turns adjacent pairs of queries and keys, ``"learned"`` adds a table of `context_length` rows.
    bias : {"none", "qkv", "all"}
        Which projections have one: none, those to queries, keys and values, or all but the output layer.

    Raises
    ------
    ShapeError
        A field is out of range or does not fit another; the message begins with its name.

    Examples
    --------
    >>> from bytepair.transformer import Config
    >>> config = Config(vocab_size=257, context_length=128, num_layers=2, d_model=64, num_heads=4, d_ff=176)
    >>> config.num_kv_heads, config.head_dim
    (4, 16)
    >>> Config.preset("gpt2-xl-notes").d_ff
    6400
    """

    vocab_size: int
    context_length: int
    num_layers: int
    d_model: int
    num_heads: int
    d_ff: int
    num_kv_heads: int = None  # type: ignore[assignment]  # An int once the object is made.
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5
    tie_embeddings: bool = False
    activation: Activation = "swiglu"
    norm: Norm = "rms"
    position: Position = "rope"
    bias: Bias = "none"

    def __post_init__(self) -> None:
        if vars(self)["num_kv_heads"] is None:
            object.__setattr__(self, "num_kv_heads", self.num_heads)
        for name in ("vocab_size", "context_length", "num_layers", "d_model", "num_heads", "d_ff", "num_kv_heads"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**31:
                raise ShapeError(f"{name} must be an integer from 1 to 2**31 - 1, not {value!r:.40}")
        for name, low in (("rope_theta", 1.0), ("norm_eps", 0.0)):
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value < math.inf:
                raise ShapeError(f"{name} must be a finite number from {low:g} up, not {value!r:.40}")
        if not isinstance(self.tie_embeddings, bool):
            raise ShapeError(f"tie_embeddings must be True or False, not {self.tie_embeddings!r:.40}")
        for name, kind in (("activation", Activation), ("norm", Norm), ("position", Position), ("bias", Bias)):
            value = getattr(self, name)
            if value not in get_args(kind):
                raise ShapeError(f"{name} must be one of {', '.join(get_args(kind))}, not {value!r:.40}")
        if self.d_model % self.num_heads:
            raise ShapeError(f"d_model must be a multiple of num_heads: {self.d_model} is none of {self.num_heads}")
        if self.num_heads % self.num_kv_heads:
            raise ShapeError(f"num_kv_heads must divide num_heads: {self.num_kv_heads} does not {self.num_heads}")
        if self.position == "rope" and self.head_dim % 2:
            raise ShapeError(f"d_model / num_heads must be even for rotary positions, not {self.head_dim}")

    @property
    def head_dim(self) -> int:
        """A, the dimensions of a head."""
        return self.d_model // self.num_heads

    @classmethod
    def preset(cls, name: str) -> Config:
        """Return a shape by its name.

        Parameters
        ----------
        name : str
            - ``gpt2-xl-notes``: GPT-2 XL's size in a model of RMSNorm, RoPE and SwiGLU, embeddings not tied;
            - ``small``, ``medium``, ``large``, ``xl``: the same model in GPT-2's four sizes, with F = 4 D;
            - ``small-8/3`` and so on: F is the multiple of 64 nearest to 8/3 D, about GPT-2's number of parameters;
            - ``gpt2-small`` and so on: GPT-2 itself, of LayerNorm, learned positions, GELU and biases;
            - ``tinystories``, ``smollm2-135m``.

        Returns
        -------
        Config

        Raises
        ------
        ValueError
            There is none of this name; the message lists those there are.

        Examples
        --------
        >>> from bytepair.transformer import Config
        >>> Config.preset("xl") == Config.preset("gpt2-xl-notes")
        True
        >>> Config.preset("large-8/3").d_ff
        3392
        """
        try:
            return cls(**_PRESETS[name])
        except KeyError:
            raise ValueError(f"there is no preset {name!r:.60}; there are {', '.join(_PRESETS)}") from None

    @classmethod
    def presets(cls) -> tuple[str, ...]:
        """Return the names that `preset` knows."""
        return tuple(_PRESETS)


# L, D and H of GPT-2's sizes: Radford et al. 2019, table 2; H from the published weights.
_GPT2_SIZES = {"small": (12, 768, 12), "medium": (24, 1024, 16), "large": (36, 1280, 20), "xl": (48, 1600, 25)}

_GPT2_ITSELF: dict[str, Any] = {
    "tie_embeddings": True,
    "activation": "gelu",
    "norm": "layer",
    "position": "learned",
    "bias": "all",
}


def _gpt2(size: str, *, d_ff: int, **more: object) -> dict[str, Any]:
    num_layers, d_model, num_heads = _GPT2_SIZES[size]
    shape = {"num_layers": num_layers, "d_model": d_model, "num_heads": num_heads, "d_ff": d_ff}
    return {"vocab_size": 50_257, "context_length": 1024} | shape | more


_PRESETS: dict[str, dict[str, Any]] = {
    "gpt2-xl-notes": _gpt2("xl", d_ff=6400),
    **{size: _gpt2(size, d_ff=4 * d_model) for size, (_, d_model, _) in _GPT2_SIZES.items()},
    **{f"{size}-8/3": _gpt2(size, d_ff=64 * round(d_model / 24)) for size, (_, d_model, _) in _GPT2_SIZES.items()},
    **{f"gpt2-{size}": _gpt2(size, d_ff=4 * d_model, **_GPT2_ITSELF) for size, (_, d_model, _) in _GPT2_SIZES.items()},
    "tinystories": {
        "vocab_size": 10_000,
        "context_length": 256,
        "num_layers": 4,
        "d_model": 512,
        "num_heads": 16,
        "d_ff": 1344,
    },
    "smollm2-135m": {
        "vocab_size": 49_152,
        "context_length": 8192,
        "num_layers": 30,
        "d_model": 576,
        "num_heads": 9,
        "num_kv_heads": 3,
        "d_ff": 1536,
        "rope_theta": 100_000.0,
        "tie_embeddings": True,
    },
}

"""The plain twin of the forward pass: float64, one text, loops over positions and heads; and models to compare with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import strategies as st

from bytepair.transformer import Config, Transformer, parameter_shapes


def logits_of(config: Config, arrays: Mapping[str, np.ndarray], ids: Sequence[int]) -> np.ndarray:
    """The logits (T, V) of one text."""
    w = {name: np.asarray(array, np.float64) for name, array in arrays.items()}
    stream = [w["token_embeddings.weight"][token_id].copy() for token_id in ids]
    if config.position == "learned":
        stream = [x + w["position_embeddings.weight"][t] for t, x in enumerate(stream)]

    def affine(name: str, x: np.ndarray) -> np.ndarray:
        return np.einsum("oi,i->o", w[f"{name}.weight"], x) + w.get(f"{name}.bias", 0.0)

    def norm(name: str, x: np.ndarray) -> np.ndarray:
        if config.norm == "layer":
            x = x - sum(x) / len(x)
        x = x / math.sqrt(sum(v * v for v in x) / len(x) + config.norm_eps)
        return x * w[f"{name}.weight"] + w.get(f"{name}.bias", 0.0)

    def turned(x: np.ndarray, position: int) -> np.ndarray:
        if config.position != "rope":
            return x
        y = np.empty_like(x)
        for j in range(0, len(x), 2):
            angle = position / config.rope_theta ** (j / len(x))
            y[j] = x[j] * math.cos(angle) - x[j + 1] * math.sin(angle)
            y[j + 1] = x[j] * math.sin(angle) + x[j + 1] * math.cos(angle)
        return y

    def activated(name: str, x: np.ndarray) -> np.ndarray:
        y = affine(f"{name}.w1", x)
        if config.activation == "swiglu":
            up = affine(f"{name}.w3", x)
            return np.array([a / (1 + math.exp(-a)) * b for a, b in zip(y, up, strict=True)])
        return np.array([a / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3))) for a in y])

    size, group = config.head_dim, config.num_heads // config.num_kv_heads
    for layer in range(config.num_layers):
        at = f"layers.{layer}"
        queries, keys, values = [], [], []
        for t, x in enumerate(stream):
            h = norm(f"{at}.ln1", x)
            q, k, v = (affine(f"{at}.attn.{part}_proj", h).reshape(-1, size) for part in "qkv")
            queries.append([turned(head, t) for head in q])
            keys.append([turned(head, t) for head in k])
            values.append(v)
        for t in range(len(stream)):
            heads = []
            for head in range(config.num_heads):
                scores = [queries[t][head] @ keys[s][head // group] / math.sqrt(size) for s in range(t + 1)]
                weights = [math.exp(score - max(scores)) for score in scores]
                mixed = sum(a * values[s][head // group] for s, a in enumerate(weights))
                heads.append(mixed / sum(weights))
            stream[t] = stream[t] + affine(f"{at}.attn.output_proj", np.concatenate(heads))
        stream = [x + affine(f"{at}.ffn.w2", activated(f"{at}.ffn", norm(f"{at}.ln2", x))) for x in stream]
    head = w["token_embeddings.weight" if config.tie_embeddings else "lm_head.weight"]
    return np.stack([np.einsum("vd,d->v", head, norm("ln_final", x)) for x in stream])


def random_arrays(config: Config, seed: int) -> dict[str, np.ndarray]:
    """Arrays of a model, biases and gains included, such that logits are a few units wide."""
    rng = np.random.default_rng(seed)

    def one(name: str, shape: tuple[int, ...]) -> np.ndarray:
        values = rng.standard_normal(shape)
        if len(shape) == 1:
            return 0.3 * values + name.endswith("weight")
        return values if "embeddings" in name else values * 2 / math.sqrt(shape[-1])

    return {name: one(name, shape) for name, shape in parameter_shapes(config)}


def model_of(config: Config, seed: int, dtype: str = "float64") -> Transformer:
    return Transformer.from_state_dict(config, random_arrays(config, seed), dtype=dtype)


SEEDS = st.integers(0, 2**32 - 1)
CONTEXT = 14


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Any shape of model, small."""
    n_kv_heads, group = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    position = draw(st.sampled_from(["rope", "learned"]))
    head_dim = draw(st.integers(1, 4)) * (2 if position == "rope" else 1)
    return Config(
        vocab_size=draw(st.integers(1, 20)),
        context_length=CONTEXT,
        num_layers=draw(st.integers(1, 3)),
        d_model=n_kv_heads * group * head_dim,
        num_heads=n_kv_heads * group,
        num_kv_heads=n_kv_heads,
        d_ff=draw(st.integers(1, 9)),
        rope_theta=draw(st.sampled_from([1.0, 100.0, 10_000.0, 1e6])),
        norm_eps=draw(st.sampled_from([1e-6, 1e-5, 0.1])),
        tie_embeddings=draw(st.booleans()),
        activation=draw(st.sampled_from(["swiglu", "gelu"])),
        norm=draw(st.sampled_from(["rms", "layer"])),
        position=position,
        bias=draw(st.sampled_from(["none", "qkv", "all"])),
    )


@st.composite
def models(draw: st.DrawFn) -> Transformer:
    """A model that computes in float64."""
    return model_of(draw(configs()), draw(SEEDS))


@st.composite
def batches(draw: st.DrawFn, model: Transformer, most: int = CONTEXT) -> np.ndarray:
    """Ids (B, T) for a model."""
    shape = draw(st.integers(1, 3)), draw(st.integers(1, most))
    return np.random.default_rng(draw(SEEDS)).integers(0, model.config.vocab_size, shape)

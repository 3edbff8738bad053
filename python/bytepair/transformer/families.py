"""How families of models are written in files: what their fields and arrays are called, and how arrays are laid out.

Anything that is not understood is refused: a model that is nearly right writes text that is nearly right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from bytepair.errors import FormatError
from bytepair.transformer.config import Config
from bytepair.transformer.weights import Tensor, parameter_shapes

__all__ = ["FROM_GGUF", "FROM_JSON", "Family", "arranged", "config_of", "family_of"]

_Step = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


@dataclass(frozen=True)
class Family:
    """How a family of models is written in a format."""

    # What each array is called, without `.weight` and `.bias`. Three arrays of one name lie below each other in it.
    names: Mapping[str, str]
    # Fields of the config, by what the format calls them.
    fields: Mapping[str, str]
    # Fields of the config that all models of this family have.
    fixed: Mapping[str, Any] = field(default_factory=dict)
    # Fields of the format that may be absent, with what that means.
    defaults: Mapping[str, Any] = field(default_factory=dict)
    # Fields of the format that change what a model computes, and all they may be.
    must_be: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    # Fields of the format that must be what the dimensions of a head are.
    head_dims: tuple[str, ...] = ()
    # Fields of the format that change nothing; None where there are too many to know them all.
    without_effect: tuple[str, ...] | None = None
    # Matrices of layers are (in, out).
    transposed: bool = False
    # Rotary positions turn dimension j with j + A / 2, instead of 2 j with 2 j + 1.
    halves: bool = False
    # Arrays that hold nothing learned, as a regular expression.
    not_learned: str = "(?!)"


_GPT2_FIXED = {"activation": "gelu", "norm": "layer", "position": "learned", "bias": "all"}

_LLAMA_JSON = Family(
    names={
        "token_embeddings": "embed_tokens",
        "ln_final": "norm",
        "lm_head": "lm_head",
        "ln1": "layers.{}.input_layernorm",
        "attn.q_proj": "layers.{}.self_attn.q_proj",
        "attn.k_proj": "layers.{}.self_attn.k_proj",
        "attn.v_proj": "layers.{}.self_attn.v_proj",
        "attn.output_proj": "layers.{}.self_attn.o_proj",
        "ln2": "layers.{}.post_attention_layernorm",
        "ffn.w1": "layers.{}.mlp.gate_proj",
        "ffn.w2": "layers.{}.mlp.down_proj",
        "ffn.w3": "layers.{}.mlp.up_proj",
    },
    fields={
        "vocab_size": "vocab_size",
        "context_length": "max_position_embeddings",
        "num_layers": "num_hidden_layers",
        "d_model": "hidden_size",
        "num_heads": "num_attention_heads",
        "num_kv_heads": "num_key_value_heads",
        "d_ff": "intermediate_size",
        "norm_eps": "rms_norm_eps",
        "rope_theta": "rope_theta",
        "tie_embeddings": "tie_word_embeddings",
    },
    defaults={"num_key_value_heads": None, "rope_theta": 10_000.0, "tie_word_embeddings": False},
    must_be={
        "hidden_act": ("silu",),
        "attention_bias": (False,),
        "mlp_bias": (False,),
        "rope_type": ("default",),
        "partial_rotary_factor": (1.0,),
        "use_sliding_window": (False,),
        "quantization_config": (),
    },
    head_dims=("head_dim",),
    halves=True,
    not_learned=r".*\.rotary_emb\.inv_freq",
)

FROM_JSON = {
    "llama": _LLAMA_JSON,
    # Published configs of Qwen2 have no field for their biases.
    "qwen2": Family(**vars(_LLAMA_JSON) | {"fixed": {"bias": "qkv"}}),
    "gpt2": Family(
        names={
            "token_embeddings": "wte",
            "position_embeddings": "wpe",
            "ln_final": "ln_f",
            "lm_head": "lm_head",
            "ln1": "h.{}.ln_1",
            "attn.q_proj": "h.{}.attn.c_attn",
            "attn.k_proj": "h.{}.attn.c_attn",
            "attn.v_proj": "h.{}.attn.c_attn",
            "attn.output_proj": "h.{}.attn.c_proj",
            "ln2": "h.{}.ln_2",
            "ffn.w1": "h.{}.mlp.c_fc",
            "ffn.w2": "h.{}.mlp.c_proj",
        },
        fields={
            "vocab_size": "vocab_size",
            "context_length": "n_positions",
            "num_layers": "n_layer",
            "d_model": "n_embd",
            "num_heads": "n_head",
            "d_ff": "n_inner",
            "norm_eps": "layer_norm_epsilon",
            "tie_embeddings": "tie_word_embeddings",
        },
        fixed=_GPT2_FIXED,
        defaults={"n_inner": None, "tie_word_embeddings": True},
        must_be={
            "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
            "scale_attn_weights": (True,),
            "scale_attn_by_inverse_layer_idx": (False,),
            "add_cross_attention": (False,),
        },
        transposed=True,
        not_learned=r"h\.\d+\.attn\.(bias|masked_bias)",
    ),
}

_GGUF_NAMES = {
    "token_embeddings": "token_embd",
    "ln_final": "output_norm",
    "lm_head": "output",
    "ln1": "blk.{}.attn_norm",
    "attn.q_proj": "blk.{}.attn_q",
    "attn.k_proj": "blk.{}.attn_k",
    "attn.v_proj": "blk.{}.attn_v",
    "attn.output_proj": "blk.{}.attn_output",
    "ln2": "blk.{}.ffn_norm",
    "ffn.w1": "blk.{}.ffn_gate",
    "ffn.w2": "blk.{}.ffn_down",
    "ffn.w3": "blk.{}.ffn_up",
}

_GGUF_FIELDS = {
    "context_length": "context_length",
    "num_layers": "block_count",
    "d_model": "embedding_length",
    "num_heads": "attention.head_count",
    "num_kv_heads": "attention.head_count_kv",
    "d_ff": "feed_forward_length",
    "norm_eps": "attention.layer_norm_rms_epsilon",
    "rope_theta": "rope.freq_base",
}

_LLAMA_GGUF = Family(
    names=_GGUF_NAMES,
    fields=_GGUF_FIELDS,
    defaults={"attention.head_count_kv": None, "rope.freq_base": 10_000.0},
    must_be={"rope.scaling.type": ("none",)},
    head_dims=("rope.dimension_count", "attention.key_length", "attention.value_length"),
    without_effect=("vocab_size",),
)

FROM_GGUF = {
    # Queries and keys of this one are in adjacent pairs, of the next in halves: that is what llama.cpp turns.
    "llama": _LLAMA_GGUF,
    "qwen2": Family(**vars(_LLAMA_GGUF) | {"fixed": {"bias": "qkv"}, "halves": True}),
    "gpt2": Family(
        names=_GGUF_NAMES
        | dict.fromkeys(("attn.q_proj", "attn.k_proj", "attn.v_proj"), "blk.{}.attn_qkv")
        | {"position_embeddings": "position_embd", "ffn.w1": "blk.{}.ffn_up"},
        fields=_GGUF_FIELDS | {"norm_eps": "attention.layer_norm_epsilon"},
        fixed=_GPT2_FIXED,
        defaults=_LLAMA_GGUF.defaults,
        head_dims=_LLAMA_GGUF.head_dims,
        without_effect=_LLAMA_GGUF.without_effect,
    ),
}


def family_of(families: Mapping[str, Family], name: object, where: str) -> Family:
    """Return the family of this name, which stands in the file at `where`."""
    family = families.get(name) if isinstance(name, str) else None
    if family is None:
        raise FormatError(f"{where}: {name!r:.60} is not modelled; read are {', '.join(families)}", where)
    return family


def config_of(family: Family, said: Mapping[str, Any], known: Mapping[str, Any], prefix: str) -> Config:
    """Return the config that the fields of a file describe; `known` are ours that it has no fields for."""
    for name, allowed in family.must_be.items():
        if name in said and said[name] not in allowed:
            what = " or ".join(map(repr, allowed)) or "absent"
            raise FormatError(f"{prefix}{name}: {said[name]!r:.60} is not modelled; it has to be {what}", prefix + name)
    fields: dict[str, Any] = {**family.fixed, **known}
    for name, theirs in family.fields.items():
        if theirs not in said and theirs not in family.defaults:
            raise FormatError(f"{prefix}{theirs}: the field is missing", prefix + theirs)
        fields[name] = said.get(theirs, family.defaults.get(theirs))
    if fields["d_ff"] is None and isinstance(fields["d_model"], int):
        fields["d_ff"] = 4 * fields["d_model"]  # As GPT-2's configs mean it.
    config = Config(**fields)
    for name in family.head_dims:
        if said.get(name) not in (None, config.head_dim):
            message = f"{said[name]!r:.60} is not modelled; it has to be {config.head_dim}, the width over the heads"
            raise FormatError(f"{prefix}{name}: {message}", prefix + name)
    if family.without_effect is not None:
        understood = {*family.fields.values(), *family.must_be, *family.head_dims, *family.without_effect}
        for name in said:
            if name not in understood:
                message = "not modelled, and ignoring it could change what the model computes"
                raise FormatError(f"{prefix}{name}: {message}", prefix + name)
    return config


def arranged(config: Config, family: Family, stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the arrays of a file by our names and in our layout; their shapes are compared, and nothing is read."""
    d_model, d_kv = config.d_model, config.num_kv_heads * config.head_dim
    below = {
        "attn.q_proj": slice(d_model),
        "attn.k_proj": slice(d_model, d_model + d_kv),
        "attn.v_proj": slice(d_model + d_kv, d_model + 2 * d_kv),
    }
    fused = family.names["attn.q_proj"] == family.names["attn.k_proj"]
    found: dict[str, Tensor] = {}
    used = set()
    for name, shape in parameter_shapes(config):
        layer, short, kind = _parts(name)
        theirs = f"{family.names[short].format(layer)}.{kind}"
        if theirs not in stored:
            raise FormatError(f"the array {theirs} is missing", theirs)
        if stored[theirs].unread:
            raise FormatError(stored[theirs].unread, theirs)
        used.add(theirs)
        steps: list[_Step] = []
        lies = (d_model + 2 * d_kv, *shape[1:]) if fused and short in below else shape
        if family.transposed and layer:
            lies = lies[::-1]
            steps.append(np.transpose)
        if fused and short in below:
            steps.append(partial(_rows, rows=below[short]))
        if family.halves and short in ("attn.q_proj", "attn.k_proj"):
            steps.append(partial(_pairs, head_dim=config.head_dim))
        if stored[theirs].shape != lies:
            message = f"the array {theirs} has shape {stored[theirs].shape}, and by the config {lies}"
            raise FormatError(message, theirs)
        found[name] = Tensor(shape, partial(_through, stored[theirs].read, steps))
    for theirs in stored:
        if theirs not in used and not re.fullmatch(family.not_learned, theirs):
            message = f"the array {theirs} is not modelled, and ignoring it could change what the model computes"
            raise FormatError(message, theirs)
    return found


def _parts(name: str) -> tuple[str, str, str]:
    """Return the number of the layer, if any, what the array is, and whether it is weight or bias."""
    head, _, kind = name.rpartition(".")
    if not head.startswith("layers."):
        return "", head, kind
    _, layer, short = head.split(".", 2)
    return layer, short, kind


def _through(read: Callable[[], npt.NDArray[Any]], steps: list[_Step]) -> npt.NDArray[Any]:
    array = read()
    for step in steps:
        array = step(array)
    return array


def _rows(array: npt.NDArray[Any], rows: slice) -> npt.NDArray[Any]:
    return array[rows]


def _pairs(array: npt.NDArray[Any], head_dim: int) -> npt.NDArray[Any]:
    """Put next to each other the rows of a head that rotary positions turn together: j and j + A / 2."""
    halves = array.reshape(-1, 2, head_dim // 2, *array.shape[1:])  # (H A, in) -> (H, 2, A / 2, in)
    return halves.swapaxes(1, 2).reshape(array.shape)  # (H, A / 2, 2, in) -> (H A, in)

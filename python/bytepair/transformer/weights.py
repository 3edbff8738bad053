"""The arrays of a model, by name: their shapes, their first values, and widened once or whenever they are used."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bytepair.errors import ShapeError
from bytepair.transformer.config import Config
from bytepair.transformer.ops import Array

__all__ = ["Tensor", "Weights", "initial", "parameter_shapes"]


@dataclass(frozen=True)
class Tensor:
    """An array that need not be in memory."""

    shape: tuple[int, ...]
    read: Callable[[], npt.NDArray[Any]]
    # Why it cannot be read, if so: an error where the array is used.
    unread: str = ""


def parameter_shapes(config: Config) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the name and shape of each array of a model; matrices are (out, in).

    Names are those of Stanford's course CS336, assignment 1, and of the same kind where that model has no such array.

    Parameters
    ----------
    config : Config

    Yields
    ------
    name : str
    shape : tuple of int

    Examples
    --------
    >>> from bytepair.transformer import Config, parameter_shapes
    >>> shapes = dict(parameter_shapes(Config.preset("smollm2-135m")))
    >>> shapes["layers.29.attn.k_proj.weight"], len(shapes)
    ((192, 576), 272)
    """
    d_model, d_ff, d_kv = config.d_model, config.d_ff, config.num_kv_heads * config.head_dim
    yield "token_embeddings.weight", (config.vocab_size, d_model)
    if config.position == "learned":
        yield "position_embeddings.weight", (config.context_length, d_model)
    projections = {
        "attn.q_proj": (d_model, d_model),
        "attn.k_proj": (d_kv, d_model),
        "attn.v_proj": (d_kv, d_model),
        "attn.output_proj": (d_model, d_model),
        "ffn.w1": (d_ff, d_model),
        "ffn.w2": (d_model, d_ff),
    }
    if config.activation == "swiglu":
        projections["ffn.w3"] = (d_ff, d_model)
    biased = {"none": 0, "qkv": 3, "all": len(projections)}[config.bias]
    norm_parts = ("weight",) if config.norm == "rms" else ("weight", "bias")
    for layer in range(config.num_layers):
        for norm in ("ln1", "ln2"):
            for part in norm_parts:
                yield f"layers.{layer}.{norm}.{part}", (d_model,)
        for place, (name, shape) in enumerate(projections.items()):
            yield f"layers.{layer}.{name}.weight", shape
            if place < biased:
                yield f"layers.{layer}.{name}.bias", shape[:1]
    for part in norm_parts:
        yield f"ln_final.{part}", (d_model,)
    if not config.tie_embeddings:
        yield "lm_head.weight", (config.vocab_size, d_model)


def initial(config: Config, seed: int) -> dict[str, Tensor]:
    """Return the arrays of a model that has learned nothing.

    Matrices are normal with variance 2 / (in + out) and cut at three deviations, as Glorot & Bengio 2010 and CS336;
    embeddings have variance 1; gains are 1 and biases 0.
    """
    rng = np.random.default_rng(seed)

    def first(name: str, shape: tuple[int, ...]) -> Array:
        if len(shape) == 1:
            return np.full(shape, 0 if name.endswith("bias") else 1, np.float32)
        values = rng.standard_normal(shape, np.float32)
        np.clip(values, -3, 3, out=values)
        values *= 1 if "embeddings" in name else math.sqrt(2 / sum(shape))
        return values

    arrays = {name: first(name, shape) for name, shape in parameter_shapes(config)}
    return tensors_of(arrays)


def tensors_of(arrays: Mapping[str, npt.ArrayLike]) -> dict[str, Tensor]:
    """Return arrays that are in memory as tensors."""
    tensors = {}
    for name, given in arrays.items():
        array = np.asarray(given)
        if array.dtype.kind != "f":
            raise ShapeError(f"{name} must hold floating-point numbers, not {array.dtype}")
        tensors[name] = Tensor(array.shape, lambda array=array: array)  # type: ignore[misc]
    return tensors


class Weights(Mapping[str, Array]):
    """The arrays of a model by name, all of one type, finite, and as the shape says.

    Parameters
    ----------
    config : Config
    tensors : dict of str to Tensor
    dtype : numpy.dtype
        What arrays are widened to.
    low_memory : bool
        Widen an array whenever it is asked for, and keep none.

    Raises
    ------
    ShapeError
        An array is missing, not known, of another shape than the config's, or not finite. Shapes are compared before
        anything is read.
    """

    def __init__(self, config: Config, tensors: Mapping[str, Tensor], dtype: npt.DTypeLike, low_memory: bool) -> None:
        self.dtype = np.dtype(dtype)
        self.low_memory = low_memory
        self._tensors: dict[str, Tensor] = {}
        # By name as they come, so that a config of a billion layers ends at the first that is not there.
        for name, shape in parameter_shapes(config):
            if name not in tensors:
                raise ShapeError(f"{name} is missing; it is part of a model of this config, of shape {shape}")
            if tensors[name].shape != shape:
                raise ShapeError(f"{name} has shape {tensors[name].shape}, and by the config {shape}")
            self._tensors[name] = tensors[name]
        for name in tensors:
            if name not in self._tensors:
                raise ShapeError(f"{name} is no array of a model of this config")
        # Names within a layer, of each.
        self._names: list[dict[str, str]] = [{} for _ in range(config.num_layers)]
        for name in self._tensors:
            if name.startswith("layers."):
                _, layer, short = name.split(".", 2)
                self._names[int(layer)][short] = name
        self._arrays = {} if low_memory else {name: self._widen(name) for name in self._tensors}
        self._layers = [] if low_memory else [self._read(layer) for layer in range(config.num_layers)]
        if not low_memory:
            # What they were read from is not needed any more.
            self._tensors = {name: Tensor(array.shape, array.view) for name, array in self._arrays.items()}

    def __getitem__(self, name: str) -> Array:
        return self._widen(name) if self.low_memory else self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def layer(self, layer: int) -> dict[str, Array]:
        """Return the arrays of a layer by what their names end with, such as ``ln1.weight``."""
        return self._read(layer) if self.low_memory else self._layers[layer]

    def _read(self, layer: int) -> dict[str, Array]:
        return {short: self[name] for short, name in self._names[layer].items()}

    def _widen(self, name: str) -> Array:
        with np.errstate(all="ignore"):
            array: Array = np.require(self._tensors[name].read(), self.dtype, ["C", "A"])
            # A sum that is finite needs no second look.
            finite = np.isfinite(np.add.reduce(array, axis=None)) or np.isfinite(array).all()
        if not finite:
            place = np.unravel_index(np.argmin(np.isfinite(array)), array.shape)
            raise ShapeError(f"{name} is not finite: at {[int(i) for i in place]} is {array[place]}")
        return array

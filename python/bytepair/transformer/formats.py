"""Models in files: safetensors beside a config.json, and GGUF, read by the packages of these names."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bytepair.errors import FormatError, ShapeError
from bytepair.transformer.config import Config
from bytepair.transformer.families import FROM_GGUF, FROM_JSON, Family, arranged, config_of, family_of
from bytepair.transformer.weights import Tensor

__all__ = ["read", "read_config"]

_MAX_CONFIG_BYTES = 2**20

# The longest header of a safetensors file. Those of published models have up to some hundred thousand bytes.
_MAX_HEADER_BYTES = 2**24

# The kinds of numbers that are read, by what GGUF calls them.
_GGUF_TYPES = ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1")

# By what safetensors calls them: from bytes to floating-point numbers.
_WIDEN: dict[str, Callable[[npt.NDArray[np.uint8]], npt.NDArray[Any]]] = {
    "F32": lambda data: data.view("<f4"),
    "F16": lambda data: data.view("<f2"),
    # BF16 is the upper half of float32.
    "BF16": lambda data: np.left_shift(data.view("<u2"), 16, dtype=np.uint32).view(np.float32),
}


def read(path: str | os.PathLike[str]) -> tuple[Config, dict[str, Tensor]]:
    """Return the config and the arrays of a model; nothing large is allocated.

    `Transformer.load` says what is read and what is raised.
    """
    path = Path(path)
    if path.is_dir():
        files = [path / "model.safetensors"]
        if not files[0].exists():
            files = sorted(path.glob("model-*-of-*.safetensors"))
        if not files:
            raise FormatError("the folder has no model.safetensors").within(path)
        return _safetensors(files)
    with open(path, "rb") as file:
        start = file.read(9)
    if start.startswith(b"GGUF"):
        return _gguf(path)
    if start[8:] == b"{":
        return _safetensors([path])
    raise FormatError("neither a safetensors nor a GGUF file").within(path)


@contextlib.contextmanager
def _within(path: Path) -> Iterator[None]:
    """Name a file in errors about what it holds."""
    try:
        yield
    except FormatError as error:
        raise error.within(path) from None
    except ShapeError as error:
        error.add_note(f"in {path}")
        raise


@contextlib.contextmanager
def _needs(what: str) -> Iterator[None]:
    """Say of which extra a package is."""
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"{what} with the package {error.name}: pip install 'bytepair[weights]'"
        raise ModuleNotFoundError(message, name=error.name) from None


def _safetensors(files: list[Path]) -> tuple[Config, dict[str, Tensor]]:
    stored: dict[str, Tensor] = {}
    for path in files:
        with _within(path):
            for name, tensor in _safetensors_arrays(path).items():
                # A model that is saved without its head does not have this before its names.
                name = re.sub(r"^(model|transformer)\.", "", name)
                if stored.setdefault(name, tensor) is not tensor:
                    raise FormatError(f"the array {name} is there twice", name)
    path = files[0].with_name("config.json")
    if not path.exists():
        raise FileNotFoundError(f"there is no {path}, which says what the arrays beside it are")
    with _within(path):
        family, config = _json_config(path)
    if config.tie_embeddings:
        stored.pop("lm_head.weight", None)
    with _within(files[0]):
        return config, arranged(config, family, stored)


def _safetensors_arrays(path: Path) -> dict[str, Tensor]:
    with _needs("safetensors files are read"):
        from safetensors import SafetensorError, safe_open
    with open(path, "rb") as file:
        n_header = int.from_bytes(file.read(8), "little")
    if n_header > _MAX_HEADER_BYTES:
        raise FormatError(f"the header has {n_header:,} bytes, more than the limit of {_MAX_HEADER_BYTES:,}", "byte 0")
    try:
        with safe_open(path, framework="numpy"):
            pass
    except SafetensorError as error:
        raise FormatError(f"not a sound safetensors file: {error}") from None
    # The package has checked that arrays lie within the file and fill it. It does not read BF16 into NumPy, nor leave
    # arrays in the file until they are used.
    data = np.asarray(np.memmap(path, np.uint8, mode="r"))
    begin = 8 + n_header
    header = json.loads(data[8:begin].tobytes())
    header.pop("__metadata__", None)
    arrays = {}
    for name, about in header.items():
        kind, shape = about["dtype"], about["shape"]
        unread = "" if kind in _WIDEN else f"the array {name} holds {kind}; read are {', '.join(_WIDEN)}"
        start, end = (begin + offset for offset in about["data_offsets"])
        arrays[name] = Tensor(tuple(shape), partial(_view, data[start:end], kind, shape), unread)
    return arrays


def _view(data: npt.NDArray[np.uint8], kind: str, shape: list[int]) -> npt.NDArray[Any]:
    return _WIDEN[kind](data).reshape(shape)


def read_config(path: Path) -> Config:
    """Read the shape of a model from Hugging Face's ``config.json``, without the model.

    Raises
    ------
    FormatError
        It is not valid, or the model is not modelled exactly.
    ShapeError
        Its fields do not fit together.
    OSError
        It cannot be read.
    """
    with _within(path):
        return _json_config(path)[1]


def _json_config(path: Path) -> tuple[Family, Config]:
    """Return what a config.json says."""
    with open(path, "rb") as file:
        text = file.read(_MAX_CONFIG_BYTES + 1)
    try:
        said = json.loads(text) if len(text) <= _MAX_CONFIG_BYTES else None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"not valid JSON: {error}") from None
    if not isinstance(said, dict):
        raise FormatError("must be an object of JSON, of at most 1 MiB", "$")
    family = family_of(FROM_JSON, said.get("model_type"), "$.model_type")
    # What rotary positions are is said here or, in older files, there.
    for group in ("rope_scaling", "rope_parameters"):
        rope = said.get(group) or {}
        if not isinstance(rope, dict):
            raise FormatError(f"$.{group}: must be an object", f"$.{group}")
        said["rope_type"] = rope.get("rope_type", rope.get("type", said.get("rope_type", "default")))
        said |= {name: rope[name] for name in ("rope_theta", "partial_rotary_factor") if name in rope}
    layers = said.get("layer_types") or []
    if not isinstance(layers, list) or any(kind != "full_attention" for kind in layers):
        raise FormatError("$.layer_types: only full_attention is modelled", "$.layer_types")
    return family, config_of(family, said, {}, "$.")


def _gguf(path: Path) -> tuple[Config, dict[str, Tensor]]:
    with _needs("a GGUF file is read"):
        from gguf import GGUFEndian, dequantize

        from bytepair._gguf_reader import BoundedReader, damage, value_of
    with _within(path):
        with damage():
            reader = BoundedReader(path)
            fields = {name: value_of(field) for name, field in reader.fields.items()}
        if reader.endianess != GGUFEndian.LITTLE:
            raise FormatError("numbers are big-endian, which is not read")
        stored = {}
        for tensor in reader.tensors:
            kind = tensor.tensor_type
            if kind.name not in _GGUF_TYPES:
                message = f"the array {tensor.name} holds {kind.name}; read are {', '.join(_GGUF_TYPES)}"
                raise FormatError(message, tensor.name)
            shape = tuple(reversed(tensor.shape.tolist()))
            stored[tensor.name] = Tensor(shape, partial(dequantize, np.asarray(tensor.data), kind))
        architecture = fields.get("general.architecture")
        family = family_of(FROM_GGUF, architecture, "general.architecture")
        prefix = f"{architecture}."
        said = {name.removeprefix(prefix): _meant(value) for name, value in fields.items() if name.startswith(prefix)}
        if "token_embd.weight" not in stored:
            raise FormatError("the array token_embd.weight is missing", "token_embd.weight")
        # Fields say neither.
        known = {"vocab_size": stored["token_embd.weight"].shape[0], "tie_embeddings": "output.weight" not in stored}
        config = config_of(family, said, known, prefix)
        return config, arranged(config, family, stored)


def _meant(value: object) -> object:
    """Return the number with few digits whose float32 a field holds: 1e-05, not 9.999999747378752e-06."""
    if isinstance(value, float) and np.float32(value) == value:
        return float(str(np.float32(value)))
    return value

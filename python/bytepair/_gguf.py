"""The tokenizer inside a GGUF file: the fields of its header, read by the package `gguf` within bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from gguf import GGUFEndian, GGUFReader, GGUFValueType
from gguf.gguf_reader import ReaderField

from bytepair import _core
from bytepair.errors import FormatError

__all__ = ["read"]

# The most fields of a header, and the most values in all its arrays. Published headers have about 50 and up to 1.3
# million.
_MAX_FIELDS = 2**14
_MAX_VALUES = 2**24

_CUT = "the file ends before what its header says is there"

_PREFIX = "tokenizer.ggml."

# What the format calls byte-level BPE.
_MODEL = "gpt2"

# Fields that do not bear on the ids of a text, whatever they say; so do not those of single tokens' ids.
_WITHOUT_EFFECT = {
    *("token_type_count", "scores", "add_bos_token", "add_eos_token", "add_sep_token", "eot_token_ids"),
    *("seperator_token_id", "suppress_tokens"),
}

# Fields that must be absent or false.
_MUST_BE_FALSE = {"add_space_prefix", "remove_extra_whitespaces"}


class _Header(GGUFReader):
    """The header of a GGUF file; tensors are not looked at.

    A header says how many fields, bytes and values follow. None of this is believed beyond the end of the file and the
    limits above.
    """

    def __init__(self, path: Path) -> None:
        self._n_values = 0
        super().__init__(path, "r")

    def _get(
        self,
        offset: int,
        dtype: npt.DTypeLike,
        count: int = 1,
        override_order: Literal["I", "S", "<"] | None = None,
    ) -> npt.NDArray[Any]:
        if int(offset) + np.dtype(dtype).itemsize * int(count) > len(self.data):
            raise _fault(offset, _CUT)
        return super()._get(offset, dtype, count, override_order)

    def _get_field_parts(
        self, orig_offs: int, raw_type: int
    ) -> tuple[int, list[npt.NDArray[Any]], list[int], list[GGUFValueType]]:
        if raw_type != GGUFValueType.ARRAY:
            return super()._get_field_parts(orig_offs, raw_type)
        # The package makes some arrays of each value, which takes seconds for a vocabulary.
        item_type = int(self._get(orig_offs, np.uint32)[0])
        length = int(self._get(orig_offs + 4, np.uint64)[0])
        self._n_values += length
        if self._n_values > _MAX_VALUES:
            raise _fault(orig_offs, f"the header has more than {_MAX_VALUES:,} values in its arrays")
        start = orig_offs + 12
        if item_type == GGUFValueType.STRING:
            values, end = self._strings(start, length)
        elif (scalar := self.gguf_scalar_to_np.get(GGUFValueType(item_type))) is not None:
            values, end = self._get(start, scalar, length), start + np.dtype(scalar).itemsize * length
        else:
            raise _fault(orig_offs, "an array of arrays, which no tokenizer needs")
        return end - orig_offs, [values], [0], [GGUFValueType.ARRAY]

    def _strings(self, start: int, length: int) -> tuple[npt.NDArray[Any], int]:
        data = self.data.data
        order: Literal["little", "big"] = "big" if self.endianess == GGUFEndian.BIG else "little"
        texts: list[str] = []
        for _ in range(length):
            end = start + 8 + int.from_bytes(data[start : start + 8], order)
            if start + 8 > len(data) or end > len(data):
                raise _fault(start, _CUT)
            try:
                texts.append(str(data[start + 8 : end], "utf-8"))
            except UnicodeDecodeError as error:
                raise _fault(start + 8 + error.start, "not valid UTF-8") from None
            start = end
        return np.array(texts, dtype=object), start

    def _build_fields(self, offs: int, count: int) -> int:
        if int(count) > _MAX_FIELDS:
            raise _fault(offs, f"the header has {int(count):,} fields, more than the limit of {_MAX_FIELDS:,}")
        return super()._build_fields(offs, count)

    def _build_tensor_info(self, offs: int, count: int) -> tuple[int, list[Any]]:
        return offs, []


def read(path: Path) -> _core.Engine:
    """Read the tokenizer of a GGUF file.

    Raises
    ------
    FormatError
        The header is damaged, or its tokenizer is not byte-level BPE with a split that is known by name.
    """
    try:
        fields = {name: _value(field) for name, field in _Header(path).fields.items() if name.startswith(_PREFIX)}
    except FormatError:
        raise
    except (ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
        # What the package raises where something in the header is not what it must be.
        raise FormatError(f"the header is not that of a GGUF file: {error.args[0] if error.args else error}") from None
    model, pre = (_text(fields, name) for name in ("model", "pre"))
    if model is None:
        raise _field_fault(f"{_PREFIX}model", "the field is missing: the file holds no tokenizer")
    if model != _MODEL:
        # Refused there; another kind of tokenizer has other fields.
        return _core.Engine.from_gguf(model, pre, [], [], [])
    for name, value in fields.items():
        _check_effect(name, value)
    tokens = _list(fields, "tokens", str)
    types = _list(fields, "token_type", int)
    merges = _list(fields, "merges", str)
    return _core.Engine.from_gguf(model, pre, tokens, types, merges)


def _value(field: ReaderField) -> object:
    if field.types[0] == GGUFValueType.ARRAY:
        values: list[object] = field.parts[field.data[0]].tolist()
        return values
    return field.contents()


def _text(fields: dict[str, object], name: str) -> str | None:
    value = fields.get(_PREFIX + name)
    if value is not None and not isinstance(value, str):
        raise _field_fault(_PREFIX + name, "must be a string")
    return value


def _check_effect(name: str, value: object) -> None:
    """Refuse a field that could change ids and is not modelled."""
    short = name.removeprefix(_PREFIX)
    if short in ("model", "pre", "tokens", "token_type", "merges") or short.endswith("_token_id"):
        return
    if short in _WITHOUT_EFFECT or (short in _MUST_BE_FALSE and value is False):
        return
    raise _field_fault(name, "not modelled, and ignoring it could change ids")


def _list(fields: dict[str, object], name: str, kind: type) -> list[Any]:
    values = fields.get(_PREFIX + name)
    if not isinstance(values, list):
        raise _field_fault(_PREFIX + name, "the field is missing" if values is None else "must be an array")
    if not all(type(value) is kind for value in values):
        raise _field_fault(_PREFIX + name, f"must be an array of {'strings' if kind is str else 'integers'}")
    return values


def _field_fault(name: str, message: str) -> FormatError:
    return FormatError(f"{name}: {message}", name)


def _fault(offset: int, message: str) -> FormatError:
    return FormatError(f"byte {int(offset)}: {message}", f"byte {int(offset)}")

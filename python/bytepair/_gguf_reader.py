"""GGUF files, read by the package `gguf` within bounds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from gguf import GGUFEndian, GGUFReader, GGUFValueType
from gguf.gguf_reader import ReaderField

from bytepair.errors import FormatError

__all__ = ["BoundedReader", "damage", "value_of"]

# The most fields of a header, tensors, and values in all arrays. Published headers have about 50, up to some thousand,
# and up to 1.3 million.
_MAX_FIELDS = 2**14
_MAX_TENSORS = 2**16
_MAX_VALUES = 2**24

_CUT = "the file ends before what its header says is there"


class BoundedReader(GGUFReader):
    """The fields and tensors of a GGUF file.

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
            raise _fault(orig_offs, "an array of arrays, which no model needs")
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

    def _build_tensor_info(self, offs: int, count: int) -> tuple[int, list[ReaderField]]:
        if int(count) > _MAX_TENSORS:
            raise _fault(offs, f"the header has {int(count):,} tensors, more than the limit of {_MAX_TENSORS:,}")
        return super()._build_tensor_info(offs, count)


@contextlib.contextmanager
def damage() -> Iterator[None]:
    """Raise what the package raises, where something is not what it must be, as an error about the file."""
    try:
        yield
    except FormatError:
        raise
    except (ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
        raise FormatError(f"the header is not that of a GGUF file: {error.args[0] if error.args else error}") from None


def value_of(field: ReaderField) -> object:
    """Return what a field holds, an array as a list."""
    if field.types[0] == GGUFValueType.ARRAY:
        values: list[object] = field.parts[field.data[0]].tolist()
        return values
    return field.contents()


def _fault(offset: int, message: str) -> FormatError:
    return FormatError(f"byte {int(offset)}: {message}", f"byte {int(offset)}")

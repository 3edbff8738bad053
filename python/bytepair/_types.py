"""The types of arguments, for annotations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from bytepair.sources import Files

Text: TypeAlias = "str | bytes | bytearray | memoryview"
Ids: TypeAlias = "Iterable[int] | npt.NDArray[np.integer[Any]]"
ArrowArray: TypeAlias = "pa.Array | pa.ChunkedArray"
Names: TypeAlias = Literal["all"] | Iterable[str] | None
Pattern: TypeAlias = str | Sequence[str]
Dtype: TypeAlias = "Literal['uint16', 'uint32', 'int32', 'int64'] | type[np.integer[Any]] | np.dtype[np.integer[Any]]"
Format: TypeAlias = Literal["tokenizer.json", "tiktoken", "gpt2"]
Tie: TypeAlias = Literal["hf", "id", "bytes"]
SourceFormat: TypeAlias = Literal["text", "jsonl", "parquet", "arrow"]
OnError: TypeAlias = Literal["raise", "skip"]
Corpus: TypeAlias = (
    "Files | os.PathLike[str] | str | bytes | ArrowArray | Iterable[os.PathLike[str]] | Iterable[str]"
    "| Iterable[bytes] | Iterable[Text] | Iterable[ArrowArray]"
)
Progress: TypeAlias = Callable[[str, int, "int | None"], object]

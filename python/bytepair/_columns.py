"""Columns of Parquet and Arrow files, a batch of rows at a time."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import compute, ipc, parquet

from bytepair._readers import BLOCK_BYTES, Batch, Batches
from bytepair.errors import FormatError
from bytepair.sources import Skipped

if TYPE_CHECKING:
    from bytepair._types import ArrowArray
    from bytepair.sources import Files, Source

# A batch of Parquet has no more rows than this, however short they are.
MAX_ROWS = 2**16


def batches(source: Source, files: Files, notes_content: bool) -> Batches:
    """Yield the texts of a column.

    Raises
    ------
    FormatError
        The file is damaged or no such file, the column is not there or of another type, or a row is null.
    """
    assert source.size is not None
    row, told = 0, 0
    # N.B. not mapped: whoever cuts the file while it is read would end the process.
    with _refused(source), pa.OSFile(source.path) as file:
        chunks = (_parquet if source.format == "parquet" else _arrow)(file, source, files.text_field)
        for column, n_rows in chunks:
            texts, skipped = _without_nulls(column, row, source, files)
            row += len(column)
            # Where rows lie in the file is not known, only how many there are.
            size = max(source.size * row // max(n_rows, row) - told, 0)
            told += size
            n_bytes = compute.sum(compute.binary_length(texts)).as_py() or 0
            yield Batch(texts, n_bytes, size, skipped)
    if notes_content:
        with open(source.path, "rb") as content:
            digest = hashlib.file_digest(content, "sha256").digest()
        yield Batch([], 0, 0, content=(source.path, digest))


def _parquet(file: pa.NativeFile, source: Source, name: str) -> Iterator[tuple[ArrowArray, int]]:
    table = parquet.ParquetFile(file, pre_buffer=False, buffer_size=BLOCK_BYTES)
    _check(table.schema_arrow, name, source)
    index = [table.metadata.schema.column(i).path for i in range(table.metadata.num_columns)].index(name)
    for group in range(table.metadata.num_row_groups):
        about = table.metadata.row_group(group)
        # Nothing is known of how the bytes lie in the rows: they are taken to be alike.
        wanted = BLOCK_BYTES * about.num_rows // max(about.column(index).total_uncompressed_size, 1)
        size = min(max(wanted, 1), MAX_ROWS)
        for batch in table.iter_batches(size, row_groups=[group], columns=[name], use_threads=False):
            yield batch.column(0), table.metadata.num_rows


def _arrow(file: pa.NativeFile, source: Source, name: str) -> Iterator[tuple[ArrowArray, int]]:
    is_file = file.read(6) == b"ARROW1"
    file.seek(0)
    reader = (ipc.open_file if is_file else ipc.open_stream)(file)
    _check(reader.schema, name, source)
    index = reader.schema.names.index(name)
    read = 0
    for number in range(reader.num_record_batches) if is_file else _forever():
        if is_file:
            batch = reader.get_batch(number)
        else:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
        read += len(batch)
        share = (number + 1) / reader.num_record_batches if is_file else file.tell() / file.size()
        yield batch.column(index), int(read / share)


def _forever() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


def _check(schema: pa.Schema, name: str, source: Source) -> None:
    n_found = schema.names.count(name)
    if n_found != 1:
        there = ", ".join(schema.names[:20]) or "none"
        many = "is no column" if n_found == 0 else f"are {n_found} columns"
        raise FormatError(f"there {many} {name!r}; there is {there}", f"column {name}").within(source.path)
    kind = schema.field(name).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not any(is_kind(kind) for is_kind in _TEXTS):
        message = f"the column {name!r} is of {kind}, not of strings or binary"
        raise FormatError(message, f"column {name}").within(source.path)


_TEXTS = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
)


def _without_nulls(column: ArrowArray, row: int, source: Source, files: Files) -> tuple[ArrowArray, Skipped]:
    column = _as_bytes(column)
    # N.B. Arrow believes the offsets and indices in a file: unchecked, a damaged one would end the process.
    column.validate(full=True)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    # Views are brought to the form that is read.
    if pa.types.is_binary_view(column.type):
        column = column.cast(pa.large_binary())
    if not column.null_count:
        return column, Skipped()
    place = f"row {row + column.is_null().index(True).as_py()}"
    reason = f"{place}: null in the column {files.text_field!r}"
    if files.on_error == "raise":
        raise FormatError(f"{reason} (on_error='skip' leaves such rows out)", place).within(source.path)
    return column.drop_null(), Skipped(column.null_count, (f"{source.path}: {reason}",))


# Strings, and the bytes that lie in memory as they do.
_BYTES = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}


def _as_bytes(column: ArrowArray) -> ArrowArray:
    """Return a column with its strings as bytes, uncopied: texts here need not be UTF-8, and Arrow's strings must."""
    if pa.types.is_dictionary(column.type):
        return pa.DictionaryArray.from_arrays(column.indices, _as_bytes(column.dictionary), safe=False)
    return column.view(_BYTES[column.type]) if column.type in _BYTES else column


@contextlib.contextmanager
def _refused(source: Source) -> Iterator[None]:
    """Say of which file it is what pyarrow says of its content."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        not_the_file = (pa.ArrowMemoryError, pa.ArrowCancelled)
        if isinstance(error, not_the_file) or (isinstance(error, OSError) and error.errno is not None):
            raise
        what = " ".join(str(error).split())
        raise FormatError(f"not a {source.format} file, or a damaged one: {what:.300}").within(source.path) from None

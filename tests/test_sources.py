"""Files of documents in every format: what is read of them, what is refused, and with which place."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import feather, ipc, parquet

from bytepair import Counts, Files, FormatError, Tokenizer, TrainingError, _core, _readers
from common import SEED, mixed_text, stdlib_texts

# Ways to write rows

COMPRESS = {"": bytes, ".gz": gzip.compress, ".zst": zstd.compress}


def write_lines(path: Path, rows: list[dict], compression: str = "") -> None:
    lines = "".join(json.dumps(row, ensure_ascii=index % 2 == 0) + "\n" for index, row in enumerate(rows))
    path.write_bytes(COMPRESS[compression](lines.encode()))


def write_parquet(path: Path, rows: list[dict]) -> None:
    parquet.write_table(pa.Table.from_pylist(rows), path, row_group_size=max(len(rows) // 3, 1))


def write_feather(path: Path, rows: list[dict]) -> None:
    feather.write_feather(pa.Table.from_pylist(rows), str(path), chunksize=max(len(rows) // 3, 1))


def write_stream(path: Path, rows: list[dict]) -> None:
    # As the library `datasets` writes its cache.
    table = pa.Table.from_pylist(rows)
    with pa.OSFile(str(path), "wb") as file, ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)


WRITERS = {
    "rows.jsonl": write_lines,
    "rows.ndjson": write_lines,
    "rows.jsonl.gz": lambda path, rows: write_lines(path, rows, ".gz"),
    "rows.JSONL.ZST": lambda path, rows: write_lines(path, rows, ".zst"),
    "rows.parquet": write_parquet,
    "rows.feather": write_feather,
    "rows.arrow": write_stream,
}


def texts() -> list[str]:
    rng = random.Random(SEED)
    some = [mixed_text(rng) for _ in range(200)]
    return [*some, "", "\0", "\ufeff", "line\nline\r\n\u2028", stdlib_texts()[0], "中文字符" * 3_000]


def rows_of(documents: list[str]) -> list[dict]:
    return [{"id": index, "text": text, "meta": {"text": "other"}} for index, text in enumerate(documents)]


def train(corpus, **options) -> Tokenizer:
    return Tokenizer.train(corpus, 400, **options)


def same(tokenizer: Tokenizer, expected: Tokenizer) -> bool:
    return tokenizer == expected and tokenizer.training_report == expected.training_report


# What is read


@pytest.mark.parametrize("name", WRITERS)
def test_rows_are_documents_in_every_format(name, tmp_path, monkeypatch):
    documents = texts()
    path = tmp_path / name
    WRITERS[name](path, rows_of(documents))
    expected = train(documents)
    for block_bytes in [33, 1000, _readers.BLOCK_BYTES]:
        monkeypatch.setattr(_readers, "BLOCK_BYTES", block_bytes)
        assert list(Files(path)) == [text.encode() for text in documents]
        for num_threads in [1, 8] if block_bytes >= 1000 else []:
            assert same(train(path, num_threads=num_threads), expected)


@pytest.mark.parametrize("compression", COMPRESS)
def test_a_text_file_is_one_document(compression, tmp_path):
    text = "\n".join(stdlib_texts()[:60])
    path = tmp_path / f"text.txt{compression}"
    path.write_bytes(COMPRESS[compression](text.encode()))
    assert list(Files(path)) == [text.encode()]
    for num_threads in [1, 2]:
        assert same(train(path, num_threads=num_threads), train([text]))


def test_members_of_a_compressed_file_are_one_after_the_other(tmp_path):
    for suffix in (".gz", ".zst"):
        path = tmp_path / f"rows.jsonl{suffix}"
        parts = [b'{"text": "lo', b'w low"}\n{"te', b'xt": "lower"}']
        path.write_bytes(b"".join(map(COMPRESS[suffix], parts)))
        assert list(Files(path)) == [b"low low", b"lower"]


@pytest.mark.parametrize("compression", COMPRESS)
def test_nothing_is_an_empty_text_and_no_rows(compression, tmp_path):
    for name, documents in [("a.txt", [b""]), ("a.jsonl", [])]:
        path = tmp_path / f"{name}{compression}"
        path.write_bytes(COMPRESS[compression](b""))
        assert list(Files(path)) == documents
        counts = Counts()
        counts.update(path)
        assert counts.total_documents == len(documents)


def test_many_files_of_all_formats_at_once(tmp_path):
    documents = texts()
    paths = []
    for index, (name, write) in enumerate(WRITERS.items()):
        paths.append(tmp_path / f"{index}{name}")
        write(paths[-1], rows_of(documents[index :: len(WRITERS)]))
    for index in range(20):
        paths.append(tmp_path / f"{index}.jsonl")
        write_lines(paths[-1], rows_of(documents[index::20]))
    paths.append(tmp_path / "text.md")
    paths[-1].write_text(stdlib_texts()[1])
    paths.append(tmp_path / "text.py.gz")
    paths[-1].write_bytes(gzip.compress(stdlib_texts()[2].encode()))
    expected = train([*documents, *documents, stdlib_texts()[1], stdlib_texts()[2]])
    for num_threads in [1, 2, 8]:
        assert same(train(paths, num_threads=num_threads), expected)
        assert same(train(Files(map(str, paths[::-1])), num_threads=num_threads), expected)
    assert sorted(Files(paths)) == sorted(text.encode() for text in [*documents, *documents, *stdlib_texts()[1:3]])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(
    st.dictionaries(st.text(max_size=3) | st.just("text"), JSON, max_size=3)
    | st.fixed_dictionaries({"a": JSON, "text": st.text(), "b": JSON})
)


@given(rows=ROWS, ascii=st.booleans(), line_end=st.sampled_from(["\n", "\r\n", " \n\n"]), last=st.booleans())
def test_json_lines_are_read_as_the_standard_library_reads_them(tmp_path_factory, rows, ascii, line_end, last):
    with contextlib.suppress(UnicodeEncodeError):
        lines = [json.dumps(row, ensure_ascii=ascii).encode() for row in rows]
        path = tmp_path_factory.getbasetemp() / "property.jsonl"
        path.write_bytes(line_end.encode().join(lines) + (line_end.encode() if last else b""))
        read = [json.loads(line) for line in path.read_bytes().split(b"\n") if line.strip()]
        assert read == rows
        expected = [row["text"].encode() for row in read if isinstance(row.get("text"), str)]
        files = Files(path, on_error="skip")
        if len(expected) < len(rows):
            with pytest.warns(UserWarning, match=f"^{len(rows) - len(expected)} rows? w"):
                assert list(files) == expected
        else:
            assert list(files) == expected


def text_of(line: bytes) -> str | None:
    """The text of a row, as the standard library reads it but for what it is lax about; None of a bad row."""

    def no_number(name):
        raise ValueError(name)

    try:
        row = json.loads(line.decode(), object_pairs_hook=tuple, parse_constant=no_number)
        # An object, with the field once.
        (text,) = [value for name, value in row if name == "text"] if isinstance(row, tuple) else []
        text.encode()
    except (ValueError, AttributeError):
        return None
    return text


@given(
    row=st.fixed_dictionaries({"a": JSON, "text": st.text(), "b": JSON}),
    cuts=st.lists(
        st.tuples(st.integers(0, 200), st.integers(0, 3), st.sampled_from(b'{}[]:,"\\ud8t0e-.\t\0\xff \xc3')),
        max_size=3,
    ),
)
def test_damaged_rows_are_refused_as_the_standard_library_does(row, cuts):
    data = bytearray(json.dumps(row, ensure_ascii=len(cuts) % 2 == 0).encode(errors="replace"))
    for start, length, byte in cuts:
        data[start : start + length] = bytes([byte])
    line = bytes(data).replace(b"\n", b" ")
    rows = _core.JsonLines(line, "text", first=False, strict=True)
    expected = text_of(line) if line.strip(b" \t\r\x0c") else ""
    assert rows.to_list() == ([expected.encode()] if expected is not None and line.strip() else []), rows.errors
    assert rows.n_errors == (expected is None)


def test_texts_of_every_type_of_column(tmp_path):
    documents = ["low", "", "löwer", "x" * 100]
    kinds = [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view()]
    kinds.append(pa.dictionary(pa.int32(), pa.string()))
    for kind in kinds:
        values = documents if "string" in str(kind) else [text.encode() for text in documents]
        column = pa.array(values, pa.string() if pa.types.is_dictionary(kind) else kind).cast(kind)
        table = pa.table({"n": [1, 2, 3, 4], "body": column})
        with pa.OSFile(str(tmp_path / "rows.arrow"), "wb") as file, ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        assert list(Files(tmp_path / "rows.arrow", text_field="body")) == [text.encode() for text in documents], kind
        if "view" not in str(kind):
            parquet.write_table(table, tmp_path / "rows.parquet")
            assert same(train(Files(tmp_path / "rows.parquet", text_field="body")), train(documents))


def test_arrow_arrays_are_corpora():
    documents = texts()
    column = pa.chunked_array([documents[:50], [], documents[50:]])
    expected = train(documents)
    assert same(train(column), expected)
    assert same(train(column.chunk(0)), train(documents[:50]))
    assert same(train(part for part in column.chunks), expected)
    assert same(train([column.slice(3, 20), *documents[:3], column.slice(23)]), expected)
    with pytest.raises(TypeError, match="null of Arrow") as caught:
        train(pa.array(["a", None]))
    assert caught.value.__notes__ == ["at index 1"]
    with pytest.raises(TypeError, match="not of int64"):
        train(pa.array([1]))


def test_a_row_is_read_through_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    rows = rows_of(texts())
    for num_threads in [1, 8]:
        writer = threading.Thread(target=write_lines, args=(pipe, rows))
        writer.start()
        calls: list[tuple] = []
        tokenizer = train(
            Files(pipe, format="jsonl"), num_threads=num_threads, progress=lambda *call, calls=calls: calls.append(call)
        )
        writer.join()
        assert same(tokenizer, train(texts()))
        assert {total for stage, _, total in calls if stage == "counting"} == {None}


def test_rows_are_read_where_nobody_says_which_processors_there_are(tmp_path, monkeypatch):
    write_lines(tmp_path / "a.jsonl", rows_of(texts()))
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert same(train(tmp_path / "a.jsonl"), train(texts()))


def test_files_are_a_value(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a"}')
    files = Files([tmp_path / "a.jsonl"], text_field="text", on_error="skip")
    assert files == Files(str(tmp_path / "a.jsonl"), on_error="skip") != Files(tmp_path / "a.jsonl")
    assert hash(files) == hash(pickle.loads(pickle.dumps(files)))
    assert files == pickle.loads(pickle.dumps(files)) != "files"
    assert repr(Files("a" * 2)) == "Files(['aa'], format=None, text_field='text', on_error='raise')"
    assert "... 2 more]" in repr(Files("abcde"[index] for index in range(5)))
    with pytest.raises(AttributeError, match="make others with on_error='raise'"):
        files.on_error = "raise"
    assert files.on_error == "skip"


# What is refused

GOOD = b'{"text": "low low"}\n'

LINES = {
    "not JSON": (b"low low", "line 3, column 1: the row is no object"),
    "cut off": (b'{"text": "low', "line 3, column 13: not JSON: EOF while parsing a string"),
    "more than one": (b'{"text": "a"} {"text": "b"}', "line 3, column 15: not JSON: trailing characters"),
    "not UTF-8": (b'{"text": "l\xffw"}', "line 3, column 12: the byte 0xFF is not UTF-8"),
    "not UTF-8 elsewhere": (b'{"a": "\xc3\x28", "text": "low"}', "line 3, column 8: the byte 0xC3 is not UTF-8"),
    "a lone surrogate": (rb'{"text": "\ud83e"}', "line 3, column 17: not JSON: unexpected end of hex escape"),
    "no such field": (b'{"body": "low", "id": 5}', 'the row has no field "text", but body, id'),
    "null": (b'{"text": null}', 'invalid type: null, expected a string in the field "text"'),
    "a number": (b'{"text": 12.5}', "invalid type: floating point `12.5`, expected a string"),
    "a list": (b'{"text": ["low"]}', "invalid type: sequence, expected a string"),
    "the field twice": (b'{"text": "low", "text": "lower"}', 'the field "text" is there twice'),
    "an array": (b'[{"text": "low"}]', "line 3, column 1: the row is no object"),
    "a control character": (b'{"text": "a\0"}', "not JSON: control character"),
    "NaN": (b'{"score": NaN, "text": "low"}', "line 3, column 11: not JSON: expected value"),
    "200,000 brackets": (b'{"a": ' + b"[" * 200_000, "not JSON: EOF while parsing"),
    "200,000 objects": (b'{"a":' * 200_000, "not JSON: EOF while parsing"),
}


@pytest.mark.parametrize("what", LINES)
def test_a_bad_row_is_named_or_left_out(what, tmp_path):
    line, message = LINES[what]
    path = tmp_path / "rows.jsonl"
    path.write_bytes(GOOD + b"\n" + line + b"\n" + GOOD * 3)
    for corpus in (path, Files(path)):
        with pytest.raises(FormatError) as caught:
            train(corpus)
        error = caught.value
        assert str(error).startswith(f"{path}: line 3, column ")
        assert message in str(error)
        assert "(on_error='skip' leaves such rows out)" in str(error)
        assert error.path == str(path)
        assert error.location == str(error)[len(str(path)) + 2 :].split(": ")[0]
        assert len(str(error)) < 600
    with pytest.raises(FormatError, match="line 3"):
        list(Files(path))
    with pytest.warns(UserWarning, match="^1 row was left out, first .*line 3") as warned:
        tokenizer = train(Files(path, on_error="skip"))
    assert warned[0].filename == __file__
    report = tokenizer.training_report
    assert (report.n_documents, report.n_skipped) == (4, 1)
    assert message in report.skipped[0]
    assert tokenizer == train(["low low"] * 4)


def damaged(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 255]) + data[len(data) // 2 + 1 :]


def table_bytes(table: pa.Table, form: str) -> bytes:
    sink = pa.BufferOutputStream()
    if form == "parquet":
        parquet.write_table(table, sink, row_group_size=1000)
    else:
        with (ipc.new_file if form == "file" else ipc.new_stream)(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=1000)
    return sink.getvalue().to_pybytes()


WORDS = " ".join(str(number) for number in random.Random(7).sample(range(10**6), 20_000))
MANY = "".join(json.dumps({"text": word}) + "\n" for word in WORDS.split()).encode()
TABLE = pa.table({"text": WORDS.split()})
NULLS = pa.table({"text": [*WORDS.split()[:2500], None, "low", None]})


def lying(kind: pa.DataType, number: int, form: str = "file") -> bytes:
    """A file whose last offset, or last index of a dictionary, is another one; Arrow reads it as it is."""
    is_dictionary = pa.types.is_dictionary(kind)
    column = pa.array(["low", "lower", "low"]).cast(kind)
    numbers = (column.indices if is_dictionary else column).buffers()[1].to_pybytes()
    numbers = numbers[: 12 if is_dictionary else 32 if "large" in str(kind) else 16]
    size = 8 if "large" in str(kind) else 4
    data = table_bytes(pa.table({"text": column}), form)
    assert data.count(numbers) == 1
    return data.replace(numbers, numbers[:-size] + number.to_bytes(size, "little", signed=True))


DICTIONARY = pa.dictionary(pa.int32(), pa.string())

# The name of a file, what is in it, options, and what is said of it.
FILES = {
    "gz: cut off": ("a.jsonl.gz", gzip.compress(MANY)[:-20_000], {}, ["damaged or cut off after byte"]),
    "gz: without its end": ("a.jsonl.gz", gzip.compress(MANY)[:-8], {}, ["damaged or cut off after byte"]),
    "gz: a wrong checksum": ("a.jsonl.gz", gzip.compress(MANY)[:-8] + bytes(8), {}, ["CRC check failed"]),
    "gz: a bit wrong": ("a.jsonl.gz", damaged(gzip.compress(MANY)), {}, ["gz is damaged or cut off after byte"]),
    "gz: no gz": ("a.jsonl.gz", MANY, {}, ["Not a gzipped file"]),
    "gz: a text cut off": ("a.txt.gz", gzip.compress(MANY)[:-20_000], {}, ["damaged or cut off after byte"]),
    "gz: no text": ("a.txt.gz", MANY, {}, ["Not a gzipped file"]),
    "gz: a text cut off at 0": ("a.txt.gz", b"", {}, ["gz is damaged or cut off after byte 0", "the file is empty"]),
    "gz: rows cut off at 0": ("a.jsonl.gz", b"", {}, ["gz is damaged or cut off after byte 0", "the file is empty"]),
    "zst: a text cut off at 0": ("a.txt.zst", b"", {}, ["zst is damaged or cut off after byte 0"]),
    "zst: rows cut off at 0": ("a.jsonl.zst", b"", {}, ["zst is damaged or cut off after byte 0"]),
    "zst: cut off": ("a.jsonl.zst", zstd.compress(MANY)[:-20_000], {}, ["damaged or cut off after byte"]),
    "zst: a bit wrong": ("a.jsonl.zst", damaged(zstd.compress(MANY)), {}, ["zst is damaged or cut off after"]),
    "zst: no zst": ("a.jsonl.zst", MANY, {}, ["zst is damaged or cut off after byte 0"]),
    "zst: a text cut off": ("a.txt.zst", zstd.compress(MANY)[:-9], {}, ["damaged or cut off after byte"]),
    "parquet: no such column": (
        "a.parquet",
        table_bytes(TABLE, "parquet"),
        {"text_field": "body"},
        ["there is no column 'body'; there is text"],
    ),
    "parquet: null": ("a.parquet", table_bytes(NULLS, "parquet"), {}, ["row 2500: null in the column 'text'"]),
    "parquet: numbers": (
        "a.parquet",
        table_bytes(pa.table({"text": [1, 2]}), "parquet"),
        {},
        ["the column 'text' is of int64, not of strings or binary"],
    ),
    "parquet: lists": (
        "a.parquet",
        table_bytes(pa.table({"text": [["low"]]}), "parquet"),
        {},
        ["the column 'text' is of list<", "not of strings or binary"],
    ),
    "parquet: cut off": ("a.parquet", table_bytes(TABLE, "parquet")[:-9], {}, ["not a parquet file, or a damaged one"]),
    "parquet: damaged": (
        "a.parquet",
        table_bytes(TABLE, "parquet")[:9000] + bytes(9000) + table_bytes(TABLE, "parquet")[18_000:],
        {},
        ["a parquet file, or a damaged one"],
    ),
    "parquet: empty": ("a.parquet", b"", {}, ["not a parquet file, or a damaged one"]),
    "arrow: null": ("a.arrow", table_bytes(NULLS, "file"), {}, ["row 2500: null in the column 'text'"]),
    "arrow: a stream with null": ("a.arrow", table_bytes(NULLS, "stream"), {}, ["row 2500: null"]),
    "arrow: cut off": ("a.arrow", table_bytes(TABLE, "file")[:-1000], {}, ["not a arrow file, or a damaged one"]),
    "arrow: a stream cut off": ("a.arrow", table_bytes(TABLE, "stream")[:-9000], {}, ["or a damaged one"]),
    "arrow: an offset beyond the end": ("a.arrow", lying(pa.string(), 2**30), {}, ["a arrow file, or a damaged one"]),
    "arrow: a negative offset": ("a.arrow", lying(pa.string(), -(2**30)), {}, ["a arrow file, or a damaged one"]),
    "arrow: a large offset": ("a.arrow", lying(pa.large_binary(), 2**60), {}, ["a arrow file, or a damaged one"]),
    "arrow: an offset of a stream": ("a.arrow", lying(pa.string(), 2**30, "stream"), {}, ["or a damaged one"]),
    "arrow: an index beyond the dictionary": ("a.arrow", lying(DICTIONARY, 2**30), {}, ["or a damaged one"]),
    "arrow: a negative index": ("a.arrow", lying(DICTIONARY, -(2**30)), {}, ["or a damaged one"]),
    "arrow: no arrow": ("a.feather", MANY, {}, ["not a arrow file, or a damaged one"]),
    "arrow: two such columns": (
        "a.arrow",
        table_bytes(pa.Table.from_arrays([pa.array(["a"])] * 2, ["text"] * 2), "file"),
        {},
        ["there are 2 columns 'text'"],
    ),
}


@pytest.mark.parametrize("what", FILES)
def test_a_bad_file_is_named(what, tmp_path):
    name, data, options, messages = FILES[what]
    (tmp_path / name).write_bytes(data)
    (tmp_path / "good.jsonl").write_bytes(MANY)
    paths = [tmp_path / "good.jsonl", tmp_path / name]
    seen = set()
    for num_threads in [1, 2, 8]:
        with pytest.raises(FormatError) as caught:
            train(Files(paths[-1:] if options else paths, **options), num_threads=num_threads)
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
        assert all(message in str(caught.value) for message in messages), caught.value
        assert len(str(caught.value)) < 600
        seen.add(str(caught.value))
    assert len(seen) == 1
    if "null" in what:
        with pytest.warns(UserWarning, match="^2 rows were left out, first .*row 2500"):
            assert len(list(Files(tmp_path / name, on_error="skip"))) == 2501
        return
    with pytest.raises(FormatError):
        list(Files(tmp_path / name, **options))


ARGUMENTS = {
    "an unknown format": (
        lambda: Files("a", format="csv"),
        TrainingError,
        "one of text, jsonl, parquet, arrow, not 'csv'",
    ),
    "an unknown policy": (lambda: Files("a", on_error="ignore"), TrainingError, "must be 'raise' or 'skip'"),
    "a field that is no name": (lambda: Files("a", text_field=3), TypeError, "text_field must be a str, not int"),
    "no path": (lambda: Files(5), TypeError, "not iterable"),
    "no paths": (lambda: Files([5]), TypeError, "and 5 is none"),
    "json": (lambda: Files("a.json"), TrainingError, r"a.json may hold a row on each line, or not: pass Files\("),
    "json as a path": (lambda: train(Path("a.json.gz")), TrainingError, r"pass Files\(..., format='jsonl'\)"),
    "a compressed parquet": (lambda: Files("a.parquet.gz"), TrainingError, "decompress it first"),
    "a missing file": (lambda: train(Path("missing.jsonl")), FileNotFoundError, "missing.jsonl"),
    "a missing file of many": (lambda: train([Path(__file__), Path("missing.txt")]), FileNotFoundError, "missing.txt"),
    "a folder": (lambda: train(Files("/tmp", format="jsonl")), IsADirectoryError, "/tmp is a folder; name the files"),
    "what cannot be read": (lambda: train(Files("/proc/self/mem", format="jsonl")), OSError, "/proc/self/mem"),
    "a pipe as parquet": (lambda: train(Files("/dev/null", format="parquet")), FormatError, "a pipe cannot be read as"),
    "rows of datasets": (lambda: train([{"text": "low"}]), TypeError, r"\(row\['text'\] for row in rows\)"),
    "no files": (lambda: train(Files([])), TrainingError, "the corpus is empty"),
}


@pytest.mark.parametrize("what", ARGUMENTS)
def test_arguments_are_refused(what):
    call, kind, message = ARGUMENTS[what]
    with pytest.raises(kind, match=message):
        call()


GONE = """
import os, sys
from bytepair import Files, Tokenizer
sources = Files.sources
def then_gone(files):
    found = sources(files)
    os.remove(files.paths[0])
    return found
Files.sources = then_gone
try:
    Tokenizer.train(Files(sys.argv[1]), 300)
except FileNotFoundError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.txt.zst", "a.jsonl", "a.jsonl.gz", "a.parquet"])
def test_a_file_that_is_gone_after_the_first_look(name, tmp_path):
    # In a process of its own: one that waits for ever cannot be ended from inside.
    (tmp_path / name).write_bytes(GOOD)
    command = [sys.executable, "-c", GONE, tmp_path / name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    assert str(tmp_path / name) in done.stdout


def test_strings_of_arrow_need_not_be_utf8(tmp_path):
    texts = [b"l\xffw", b"", b"low"]
    for kind, other in [(pa.string(), pa.binary()), (pa.large_string(), pa.large_binary())]:
        column = pa.array(texts, other).view(kind)
        for strings in (column, pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), column)):
            (tmp_path / "a.arrow").write_bytes(table_bytes(pa.table({"text": strings}), "file"))
            assert list(Files(tmp_path / "a.arrow")) == texts
            assert same(train(tmp_path / "a.arrow"), train(texts))


def test_files_are_looked_at_before_any_is_read(tmp_path, monkeypatch):
    (tmp_path / "a.jsonl").write_bytes(GOOD)
    monkeypatch.setattr(_readers, "lines", lambda *_: pytest.fail("a file was read"))
    with pytest.raises(FileNotFoundError):
        train([tmp_path / "a.jsonl", tmp_path / "missing.jsonl"])


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [("a.parquet", "pyarrow", "arrow"), ("a.feather", "pyarrow", "arrow"), ("a.jsonl.zst", "backports.zstd", "zstd")],
)
def test_a_missing_package_is_named(name, module, extra, tmp_path, monkeypatch):
    (tmp_path / name).write_bytes(b"")
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    with pytest.raises(ImportError, match=rf"{module.split('.')[0]}.*pip install 'bytepair\[{extra}\]'"):
        train(Files(tmp_path / name))


def test_a_file_that_must_not_be_read(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(GOOD)
    (tmp_path / "a.jsonl").chmod(0)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        with pytest.raises(PermissionError, match="jsonl"):
            train(tmp_path / "a.jsonl")
    finally:
        if is_root:
            os.seteuid(0)


class MineError(Exception):
    pass


def test_what_an_iterator_raises_is_not_touched():
    raised = MineError("halfway")

    def documents():
        yield from ["low"] * 10
        raise raised

    with pytest.raises(MineError) as caught:
        train(documents())
    assert caught.value is raised


def test_a_line_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(_readers, "MAX_LINE_BYTES", 10 * 2**20)
    (tmp_path / "a.jsonl").write_bytes(GOOD + b'{"text": "' + b"x" * (20 * 2**20) + b'"}\n')
    with pytest.raises(FormatError, match=r"a\.jsonl: line 2: longer than 10485760 bytes"):
        train(tmp_path / "a.jsonl")


# Counts


@pytest.mark.parametrize("name", [*WRITERS, "text.txt", "text.txt.gz", "large.txt"])
def test_a_file_counts_once(name, tmp_path):
    path = tmp_path / name
    text = "\n".join(stdlib_texts()[: 60 if name == "large.txt" else 2]).encode()
    WRITERS.get(name, lambda path, _: path.write_bytes(COMPRESS[".gz" if ".gz" in name else ""](text)))(
        path, rows_of(texts())
    )
    counts = Counts()
    counts.update(path)
    digest = hashlib.sha256(text if name.startswith(("text", "large")) else path.read_bytes()).digest()
    assert counts.shards == (digest,)
    saved = pickle.dumps(counts)
    (tmp_path / f"again {name}").write_bytes(path.read_bytes())
    for num_threads in [1, 8]:
        with pytest.raises(TrainingError, match="was counted before") as caught:
            counts.update([Path(__file__), tmp_path / f"again {name}"], num_threads=num_threads)
        assert name.startswith("text.txt") or str(caught.value).startswith(f"{tmp_path}/again {name}: ")
    assert pickle.dumps(counts) == saved
    counts.update(Files(path), shard="by name")
    assert len(counts.shards) == 2
    assert same(Tokenizer.train(counts, 400), train([path, path]))


def test_what_fails_counts_nothing(tmp_path):
    write_lines(tmp_path / "a.jsonl", rows_of(texts()))
    (tmp_path / "b.jsonl").write_bytes(GOOD * 300_000 + b"{")
    counts = Counts()
    counts.update(["low"])
    saved = pickle.dumps(counts)
    with pytest.raises(FormatError, match=r"b\.jsonl: line 300001"):
        counts.update(tmp_path.iterdir())
    assert pickle.dumps(counts) == saved
    with pytest.warns(UserWarning, match="1 row was left out") as warned:
        counts.update(Files(tmp_path.iterdir(), on_error="skip"))
    assert warned[0].filename == __file__
    assert counts.total_documents == 1 + len(texts()) + 300_000


def test_a_checkpoint_knows_how_files_were_read(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": text, "body": "low low"}) + "\n" for text in texts()) + "{}\n")
    files = Files(path, on_error="skip")
    with pytest.warns(UserWarning, match="1 row was left out"):
        first = train(files, checkpoint=tmp_path / "kept")
    # Now nothing is counted, but what was left out is still told.
    with pytest.warns(UserWarning, match="1 row was left out"):
        again = train(files, checkpoint=tmp_path / "kept")
    assert same(again, first)
    assert again.training_report.n_skipped == 1
    for others in (Files(path, text_field="body", on_error="skip"), Files(path, format="text", on_error="skip"), path):
        with pytest.raises(TrainingError, match=r"format, text field .* were \[None, 'text', 'skip'\]"):
            train(others, checkpoint=tmp_path / "kept")
    documents = pa.array(texts())
    with pytest.raises(TrainingError, match="it was of files, and this one is of documents"):
        train(documents, checkpoint=tmp_path / "kept")
    assert same(train(documents, checkpoint=tmp_path / "other"), train(texts(), checkpoint=tmp_path / "other"))


# Progress, interrupts, memory


@pytest.mark.parametrize("compression", COMPRESS)
def test_progress_is_of_the_bytes_of_files(compression, tmp_path):
    rng = random.Random(5)
    names = [f"a.jsonl{compression}", f"b.jsonl{compression}", f"c.txt{compression}", "d.txt"]
    for name in names:
        words = " ".join(str(rng.randrange(10**6)) for _ in range(300_000))
        rows = [{"n": 5, "text": words[i : i + 999]} for i in range(0, len(words), 999)]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / name).write_bytes((bytes if name == "d.txt" else COMPRESS[compression])(lines.encode()))
    write_parquet(tmp_path / "e.parquet", rows)
    paths = sorted(tmp_path.iterdir())
    calls: list[tuple] = []
    train(paths, progress=lambda *call: calls.append(call))
    total = sum(path.stat().st_size for path in paths)
    done = [done for stage, done, _ in calls if stage == "counting"]
    assert {told for stage, _, told in calls if stage == "counting"} == {total}
    assert done == sorted(done)
    assert done[-1] == total
    assert len(done) > 2


def test_progress_goes_on_within_a_file(tmp_path):
    words = " ".join(str(number) for number in random.Random(6).sample(range(10**6), 300_000)).encode()
    (tmp_path / "a.txt").write_bytes(words * 20)
    done: list[int] = []
    train(tmp_path / "a.txt", num_threads=1, progress=lambda stage, at, _: stage == "counting" and done.append(at))
    assert done == sorted(done)
    assert done[0] < done[-1] / 2
    assert done[-1] == 20 * len(words)


def test_ctrl_c_ends_the_reading_of_rows(tmp_path):
    for index in range(4):
        (tmp_path / f"{index}.jsonl.gz").write_bytes(gzip.compress(MANY * 100, 1))
    n_threads = threading.active_count()
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        while True:
            train(list(tmp_path.iterdir()), num_threads=4)
    assert time.perf_counter() - started < 3
    timer.join()
    assert threading.active_count() == n_threads


def test_what_progress_raises_ends_the_reading(tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(MANY * 20, 1))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(MANY * 20, 1))
    n_threads = threading.active_count()

    def progress(stage, done, total):
        raise MineError

    for path in tmp_path.iterdir():
        with pytest.raises(MineError):
            train(path, progress=progress)
    assert threading.active_count() == n_threads


MEMORY = """
import re, sys
import bytepair
if sys.argv[1].endswith("parquet"):
    import pyarrow.parquet

def peak():
    # N.B. `ru_maxrss` begins with that of the process that started this one.
    return int(re.search("VmHWM: *([0-9]+) kB", open("/proc/self/status").read().replace("\\t", " "))[1])

before = peak()
tokenizer = bytepair.Tokenizer.train(bytepair.Files(sys.argv[1]), 300, num_threads=2)
print(tokenizer.training_report.n_bytes, (peak() - before) >> 10)
"""


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.txt.gz", "a.txt.zst", "a.parquet"])
def test_large_files_are_read_in_little_memory(name, tmp_path):
    line = json.dumps({"text": "the quick brown fox jumps over the lazy dog " * 20}).encode() + b"\n"
    path = tmp_path / name
    n_lines = 300_000_000 // len(line)
    if name == "a.parquet":
        table = pa.table({"text": [json.loads(line)["text"] + str(number) for number in range(n_lines // 3)]})
        parquet.write_table(table, path, use_dictionary=False)
    else:
        # Members of a compressed file are one after the other.
        block = COMPRESS["" if path.suffix in (".jsonl", ".txt") else path.suffix](line * 1000)
        with open(path, "wb") as file:
            file.writelines(block for _ in range(n_lines // 1000))
    done = subprocess.run([sys.executable, "-c", MEMORY, path], capture_output=True, text=True)
    assert done.stderr == ""
    n_bytes, grown = map(int, done.stdout.split())
    print(f"{name}: {n_bytes / 1e6:.0f} MB of text in {grown} MiB")
    assert n_bytes > 80_000_000
    # pyarrow itself takes some 60 MiB of it.
    assert grown < (160 if name == "a.parquet" else 80)

"""Files of documents that are refused: each is named, with the place and the reason."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from backports import zstd
from pyarrow import ipc, parquet

from bytepair import Files, FormatError, Tokenizer, TrainingError, _readers
from row_files import (
    GOOD,
    MANY,
    WORDS,
    MineError,
    same,
    train,
)

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
        tokenizer = Tokenizer.train(Files(path, on_error="skip"), 400)
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

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
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import ipc, parquet

from bytepair import Counts, Files, FormatError, Tokenizer, TrainingError, _core, _readers
from common import stdlib_texts
from row_files import (
    COMPRESS,
    GOOD,
    MANY,
    WRITERS,
    MineError,
    rows_of,
    same,
    texts,
    train,
    write_lines,
    write_parquet,
)

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


@pytest.mark.alone
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

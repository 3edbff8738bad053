"""Columns of texts in, and of ids out."""

from __future__ import annotations

import builtins
import random
import re
import subprocess
import sys

import pyarrow as pa
import pytest

from bytepair import SpecialTokenError, Tokenizer
from common import EXAMPLES, builtin, mixed_text, trained

TYPES = [pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.string_view(), pa.binary_view()]


def column(rng: random.Random, kind: pa.DataType, n: int) -> tuple[pa.Array | pa.ChunkedArray, list]:
    """A column of random texts, whole, sliced or in chunks, and the texts."""
    texts = [mixed_text(rng, 5) if rng.random() < 0.8 else "" for _ in range(n)]
    if "binary" in str(kind):
        texts = [text.encode() + rng.choice([b"", b"\xff", b"\xe4\xb8"]) for text in texts]
    array = pa.array(texts, kind)
    form = rng.randrange(3)
    if form == 1:
        start = rng.randrange(n + 1)
        end = rng.randrange(start, n + 1)
        return array[start:end], texts[start:end]
    if form == 2:
        cut = rng.randrange(n + 1)
        return pa.chunked_array([array[:cut], array[cut:cut], array[cut:]], kind), texts
    return array, texts


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_a_column_is_encoded_as_its_texts_are(kind, rng):
    tokenizer = trained()
    for _ in range(max(20, EXAMPLES // 20)):
        array, texts = column(rng, kind, rng.randrange(12))
        expected = tokenizer.encode_batch(texts)
        assert tokenizer.encode_batch(array) == expected
        assert list(tokenizer.encode_iter(array)) == expected
        ids, offsets = tokenizer.encode_batch_to_numpy(array)
        assert (ids.tolist(), offsets[-1]) == ([token_id for part in expected for token_id in part], len(ids))
        for source in (array, texts, iter(texts)):
            lists = tokenizer.encode_batch_to_arrow(source, num_threads=2)
            lists.validate(full=True)
            assert lists.type == pa.large_list(pa.uint32())
            assert lists.to_pylist() == expected


def test_a_long_column_in_blocks(rng):
    # Long enough for several batches and threads, with chunks that are not.
    texts = [mixed_text(rng, 40) for _ in range(4_000)] * 4
    array = pa.chunked_array([pa.array(texts[:7]), pa.array(texts[7:9_000]), pa.array(texts[9_000:])])
    expected = trained().encode_batch(texts)
    assert trained().encode_batch(array, num_threads=2) == expected
    assert list(trained().encode_iter(array, num_threads=2)) == expected


@pytest.mark.parametrize("kind", TYPES[:4], ids=str)
def test_nulls_stay_nulls_where_they_can_and_are_named_where_not(kind):
    gpt2 = builtin("gpt2")
    texts = ["hello", None, " world", None, ""] if "string" in str(kind) else [b"hello", None, b" world", None, b""]
    array = pa.array(["x" if "string" in str(kind) else b"x", *texts], kind)[1:]
    expected = [[31373], None, [995], None, []]
    for source in (array, pa.chunked_array([array[:2], array[2:]])):
        lists = gpt2.encode_batch_to_arrow(source)
        lists.validate(full=True)
        assert (lists.to_pylist(), lists.null_count) == (expected, 2)
        for call in (gpt2.encode_batch, gpt2.encode_batch_to_numpy, lambda source: list(gpt2.encode_iter(source))):
            with pytest.raises(TypeError, match="not a null of Arrow") as raised:
                call(source)
            assert raised.value.__notes__ == ["at index 1"]
    iterator = gpt2.encode_iter(pa.chunked_array([array[:1], array[2:3], array]))
    assert [next(iterator), next(iterator), next(iterator)] == [[31373], [995], [31373]]
    with pytest.raises(TypeError) as raised:
        next(iterator)
    assert raised.value.__notes__ == ["at index 3"]
    assert next(iterator, None) is None


def test_the_ids_of_a_column_are_not_copied():
    lists = builtin("gpt2").encode_batch_to_arrow(["hello world", "hello"])
    assert lists.values.buffers()[1].address == lists.flatten().buffers()[1].address
    assert lists.values.to_numpy(zero_copy_only=True).tolist() == [31373, 995, 31373]


def test_what_is_no_column_of_texts_is_refused():
    gpt2 = builtin("gpt2")
    for array in (pa.array([1, 2]), pa.array([["a"]]), pa.array(["a"]).dictionary_encode(), pa.nulls(2)):
        message = f"texts must be an Arrow array of strings or binary, not of {array.type}"
        with pytest.raises(TypeError, match=re.escape(message)):
            gpt2.encode_batch(array)
        with pytest.raises(TypeError, match=re.escape(message)):
            gpt2.encode_iter(array)
    with pytest.raises(SpecialTokenError) as raised:
        gpt2.encode_batch(pa.array(["a", "<|endoftext|>"]), disallowed_special="all")
    assert raised.value.__notes__ == ["at index 1"]


def test_a_damaged_column_is_refused():
    # Arrow looks at the first and the last offset only, unless it is asked to validate in full.
    offsets = b"".join(offset.to_bytes(4, sys.byteorder) for offset in [0, 3, 1, 3])
    array = pa.Array.from_buffers(pa.binary(), 3, [None, pa.py_buffer(offsets), pa.py_buffer(b"abc")])
    with pytest.raises(ValueError, match="the Arrow array is damaged"):
        builtin("gpt2").encode_batch(array)


def test_without_pyarrow_the_message_says_what_to_install(monkeypatch):
    def refusing(name, *arguments, importing=builtins.__import__, **keywords):
        if name == "pyarrow":
            raise ImportError("No module named 'pyarrow'")
        return importing(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", refusing)
    with pytest.raises(ImportError, match=re.escape("pip install 'bytepair[arrow]'")):
        builtin("gpt2").encode_batch_to_arrow(["a"])


def test_nothing_but_arrow_asks_for_pyarrow():
    code = """
import sys, bytepair
gpt2 = bytepair.Tokenizer.from_pretrained("gpt2")
gpt2.encode_batch(iter(["a"])), gpt2.encode_batch_to_numpy(["a"]), list(gpt2.encode_iter(("a",)))
print("pyarrow" in sys.modules)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "False\n"


def test_arrow_of_a_subclass_of_the_tokenizer():
    class Mine(Tokenizer):
        __slots__ = ()

    mine = Mine.from_pretrained("gpt2")
    assert type(mine.with_special_tokens(["<x>"])) is Mine
    assert mine.encode_batch_to_arrow(["hello"]).to_pylist() == [[31373]]

"""Arrays of ids: memory that is theirs alone, handed over as it lies, and freed with them."""

from __future__ import annotations

import gc
import pickle
from pathlib import Path

import numpy as np
import pytest

import bytepair
from common import builtin

# More ids than are copied, and fewer.
MANY = "hello world, " * 60_000
DTYPES = ["uint16", "uint32", "int32", "int64"]


@pytest.mark.parametrize("text", ["", "hello", MANY], ids=["empty", "short", "long"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_array_is_its_owners_to_write(text, dtype):
    tokenizer = builtin("gpt2")
    expected = tokenizer.encode(text)
    array = tokenizer.encode_to_numpy(text, dtype=dtype)
    batch, offsets = tokenizer.encode_batch_to_numpy([text, "", text], dtype=dtype)
    assert (array.dtype, array.shape) == (np.dtype(dtype), (len(expected),))
    assert array.tolist() == expected
    assert batch.dtype == array.dtype
    assert batch.tolist() == expected * 2
    assert (offsets.dtype, offsets.tolist()) == (np.int64, [0, len(expected), len(expected), 2 * len(expected)])
    for each in (array, batch, offsets):
        assert each.flags.writeable
        assert each.flags.c_contiguous
        assert each.flags.aligned
    array += 1
    assert array.tolist() == [token + 1 for token in expected]
    # Neither another array nor what a later call gives is the same memory.
    assert batch.tolist() == expected * 2
    assert tokenizer.encode_to_numpy(text, dtype=dtype).tolist() == expected


def test_an_array_outlives_its_tokenizer_and_is_pickled():
    tokenizer = bytepair.Tokenizer.from_pretrained("gpt2")
    expected = tokenizer.encode(MANY)
    array, view = tokenizer.encode_to_numpy(MANY), tokenizer.encode_to_numpy(MANY)[5:]
    del tokenizer
    gc.collect()
    assert array.tolist() == expected
    assert view.tolist() == expected[5:]
    copy = pickle.loads(pickle.dumps(array, protocol=5))
    assert copy.dtype == array.dtype
    assert copy.tolist() == expected


def test_an_array_is_never_moved():
    array = builtin("gpt2").encode_to_numpy(MANY)
    with pytest.raises(ValueError, match="own its data"):
        array.resize(array.size * 2)
    buffer, _ = builtin("gpt2")._encode_batch_to_buffers(["hello world"], "uint32")
    first, second = memoryview(buffer), memoryview(buffer)
    assert (first.nbytes, first.ndim, first.readonly, first.contiguous) == (8, 1, False, True)
    first[0] ^= 1
    assert second[0] == first[0]


def resident() -> int:
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from Linux's /proc")
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_array_is_freed(dtype):
    tokenizer = builtin("gpt2")
    n_bytes = tokenizer.encode_to_numpy(MANY, dtype=dtype).nbytes
    before = resident()
    for _ in range(100):
        tokenizer.encode_to_numpy(MANY, dtype=dtype)
    assert resident() - before < 20 * n_bytes

"""What tokenizers keep between calls is bounded, for all of the process together, and can be let go of."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import bytepair
from common import stdlib_texts
from test_processes import exits_well

MIB = 2**20
LIMIT = 48 * MIB


@pytest.fixture(autouse=True)
def nothing_is_kept():
    bytepair.clear_caches()
    yield
    bytepair.set_cache_limit(LIMIT)
    bytepair.clear_caches()


def text() -> str:
    return "\n".join(stdlib_texts())


def kept() -> int:
    return bytepair.clear_caches()


def test_what_is_kept_is_counted_and_let_go():
    tokenizer = bytepair.Tokenizer.from_pretrained("gpt2")
    ids = tokenizer.encode(text())
    assert MIB < kept() < LIMIT
    assert kept() == 0
    assert tokenizer.encode(text()) == ids
    assert kept() > MIB


def test_the_limit_holds_for_all_tokenizers_together():
    tokenizers = [bytepair.Tokenizer.from_pretrained(name) for name in ["gpt2", "cl100k_base"] * 8]
    each = []
    for tokenizer in tokenizers:
        tokenizer.encode(text())
        each.append(kept())
    assert sum(each) > LIMIT, "or this shows nothing"
    for tokenizer in tokenizers:
        tokenizer.encode(text())
    assert LIMIT - max(each) <= kept() <= LIMIT
    for limit in (LIMIT // 2, LIMIT // 4):
        for tokenizer in tokenizers:
            tokenizer.encode(text())
        bytepair.set_cache_limit(limit)
        assert kept() <= limit
    bytepair.set_cache_limit(0)
    assert tokenizers[0].encode("hello world") == [31373, 995]
    assert kept() == 0


def test_the_longest_unused_gives_way():
    used, unused = (bytepair.Tokenizer.from_pretrained("gpt2") for _ in range(2))
    for tokenizer in (unused, used):
        tokenizer.encode(text())
    of_both = kept()
    for tokenizer in (used, unused, used):
        tokenizer.encode(text())
    bytepair.set_cache_limit(of_both // 2 + MIB)
    # It goes with its tokenizer: what is left is the other's.
    del used, tokenizer
    assert kept() == 0


def test_a_tokenizer_takes_its_cache_with_it():
    tokenizer = bytepair.Tokenizer.from_pretrained("gpt2")
    for each in stdlib_texts()[:100]:
        tokenizer.encode(each)
    del tokenizer
    assert kept() == 0


def test_memory_comes_back():
    code = """if True:
        import bytepair, pathlib, sys
        sys.path.insert(0, sys.argv[1])
        from common import stdlib_texts
        def held():
            return 1024 * int(pathlib.Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0])
        texts = stdlib_texts()
        tokenizers = [bytepair.Tokenizer.from_pretrained("gpt2") for _ in range(4)]
        for tokenizer in tokenizers:
            for text in texts:
                tokenizer.count(text)
        before = held()
        kept = bytepair.clear_caches()
        print(kept, before - held())"""
    if sys.platform != "linux":
        pytest.skip("what a process holds is asked of Linux")
    # So that what glibc is given back it gives back itself.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "131072"}
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    kept, came_back = map(int, done.stdout.split())
    assert kept > 8 * MIB
    # What is kept counts whole, but of its pages some were never touched.
    assert came_back > kept / 5


def test_threads_encode_while_others_clear():
    tokenizer = bytepair.Tokenizer.from_pretrained("gpt2")
    texts = [each[:5000] for each in stdlib_texts()[:20]]
    expected = [tokenizer.encode(each) for each in texts]
    done = threading.Event()

    def clear():
        limits = [0, MIB, LIMIT]
        while not done.is_set():
            bytepair.clear_caches()
            bytepair.set_cache_limit(limits[0])
            limits.append(limits.pop(0))

    with ThreadPoolExecutor(5) as threads:
        cleared = threads.submit(clear)
        for encoded in threads.map(lambda _: [tokenizer.encode(each) for each in texts * 5], range(4)):
            assert encoded == expected * 5
        done.set()
        cleared.result()


def test_a_fork_has_its_own():
    tokenizer = bytepair.Tokenizer.from_pretrained("gpt2")
    tokenizer.encode(text())
    done = threading.Event()

    def encode():
        while not done.is_set():
            tokenizer.encode("hello world")

    def check():
        assert tokenizer.encode("hello world") == [31373, 995]
        bytepair.clear_caches()
        bytepair.set_cache_limit(0)
        assert tokenizer.encode("hello world") == [31373, 995]
        assert bytepair.clear_caches() == 0

    with ThreadPoolExecutor(2) as threads:
        try:
            for _ in range(2):
                threads.submit(encode)
            for _ in range(20):
                assert exits_well(check)
        finally:
            done.set()


@pytest.mark.parametrize("bad", [-1, "1", 1.5, None])
def test_a_limit_is_a_number_of_bytes(bad: object):
    with pytest.raises((TypeError, OverflowError)):
        bytepair.set_cache_limit(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "use",
    [
        lambda tokenizer, text: tokenizer.encode(text),
        lambda tokenizer, text: tokenizer.encode_to_numpy(text),
        lambda tokenizer, text: tokenizer.encode_batch([text] * 3, num_threads=2),
        lambda tokenizer, text: tokenizer.encode(text, allowed_special="all"),
        lambda tokenizer, text: tokenizer.encode(text, errors="replace"),
        lambda tokenizer, text: tokenizer.count(text),
        lambda tokenizer, text: tokenizer.encode_with_offsets(text),
        lambda tokenizer, text: list(tokenizer.encode_iter([text])),
        lambda tokenizer, text: tokenizer.truncate(text, 10),
    ],
)
def test_a_text_takes_no_more_memory_afterwards(use):
    """Python keeps the UTF-8 of a str that is not ASCII, once it was asked for it."""
    tokenizer = bytepair.Tokenizer.from_pretrained("gpt2")
    for given in ("café", "добра порада", "добра 😀", "добра порада " * 100_000, "caf\xe9 " * 300_000, "😀 " * 300_000):
        fresh = given[:1] + given[1:]
        before = sys.getsizeof(fresh)
        use(tokenizer, fresh)
        assert sys.getsizeof(fresh) == before


def test_the_memory_of_an_array_is_used_again_when_nobody_has_it():
    tokenizer = bytepair.Tokenizer.from_pretrained("gpt2")
    long = text()[:8_000_000]
    expected = tokenizer.encode(long)
    bytepair.clear_caches()
    for encode in (
        tokenizer.encode_to_numpy,
        lambda text: tokenizer.encode_batch_to_numpy([text, ""], num_threads=2)[0],
    ):
        ids = encode(long)
        part, n_bytes = ids[100:200], ids.nbytes
        kept()
        del ids
        # A view keeps the memory from being used again.
        assert kept() == 0
        again = encode(long)
        assert part.tolist() == expected[100:200]
        assert again.tolist() == expected
        kept()
        address = again.ctypes.data
        del again
        again = encode(long)
        assert again.ctypes.data == address
        kept()
        del again
        assert n_bytes <= kept() <= 2 * n_bytes
        # Used again for a longer text, a shorter one, and lists.
        for _ in range(3):
            assert encode(long).tolist() == expected
            assert encode(long[:3_000_000]).tolist() == tokenizer.encode(long[:3_000_000])
        bytepair.set_cache_limit(n_bytes // 2)
        encode(long)
        assert kept() <= n_bytes // 2
        bytepair.set_cache_limit(LIMIT)

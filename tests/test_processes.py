"""Tokenizers in forked and spawned processes and in threads: the same ids, and no lock that is never released."""

from __future__ import annotations

import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import bytepair
from common import builtin, stdlib_texts

pytestmark = pytest.mark.alone

# No cut is safe inside it and it is no token: the encoder of long pretokens builds its tables for it.
LONG = "=-" * 3000
TEXTS = ["hello world", "", LONG, "naïve 你好 🦀", " " * 500]


def exits_well(work, seconds=30):
    """Whether a fork that calls `work` ends in time, and well."""
    with warnings.catch_warnings():
        # Later Pythons warn of a fork beside threads, which is what this is about.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


@pytest.mark.parametrize("delay_ms", [0, 1, 3, 10, 30, 60])
def test_fork_while_another_thread_encodes_for_the_first_time(delay_ms):
    # A new tokenizer each time: its tables are built when the first long pretoken comes.
    tokenizer = bytepair.Tokenizer.from_pretrained("cl100k_base")
    expected = builtin("cl100k_base").encode(LONG)
    started = threading.Event()

    def encode():
        started.set()
        return tokenizer.encode(LONG)

    def check():
        assert tokenizer.encode(LONG) == expected
        assert tokenizer.encode_batch([LONG] * 40, num_threads=2) == [expected] * 40

    with ThreadPoolExecutor(1) as threads:
        encoded = threads.submit(encode)
        started.wait()
        time.sleep(delay_ms / 1000)
        assert exits_well(check)
        assert encoded.result() == expected


def test_encode_after_fork():
    tokenizer = builtin("gpt2")
    expected = tokenizer.encode_batch(TEXTS, num_threads=4)

    def check():
        assert tokenizer.encode_batch(TEXTS, num_threads=4) == expected
        assert [tokenizer.encode(text) for text in TEXTS] == expected
        assert tokenizer.decode(expected[2]) == LONG

    assert exits_well(check)


def test_spawn_with_a_pickled_tokenizer():
    tokenizer = builtin("gpt2")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(tokenizer.encode, TEXTS) == [tokenizer.encode(text) for text in TEXTS]


def test_eight_threads_share_a_tokenizer():
    tokenizer = bytepair.Tokenizer.from_pretrained("gpt2")
    texts = [text[:20_000] for text in stdlib_texts()[:20]] + TEXTS
    expected = [builtin("gpt2").encode(text) for text in texts]
    with ThreadPoolExecutor(8) as threads:
        for encoded in threads.map(lambda _: [tokenizer.encode(text) for text in texts], range(8)):
            assert encoded == expected


def test_any_number_of_threads():
    texts = ["hello world"] * 1000
    expected = [[31373, 995]] * 1000
    for num_threads in (1, 3, 10**9):
        assert builtin("gpt2").encode_batch(texts, num_threads=num_threads) == expected


def test_a_disallowed_token_is_named_by_text_and_place_from_any_thread():
    texts = ["x" * 3000] * 300
    texts[250] = texts[280] = "ab<|endoftext|>"
    with pytest.raises(bytepair.SpecialTokenError, match="at byte offset 2") as caught:
        builtin("gpt2").encode_batch(texts, num_threads=4, disallowed_special="all")
    assert caught.value.__notes__ == ["at index 250"]
    encoded = builtin("gpt2").encode_batch(texts[280:281], allowed_special="all", disallowed_special="all")
    assert encoded == [[397, 50256]]


def test_what_an_argument_raises_comes_through():
    class Broken:
        def __index__(self):
            raise RuntimeError("broken")

    released = memoryview(b"abc")
    released.release()
    gpt2 = builtin("gpt2")
    with pytest.raises(ValueError, match="released"):
        gpt2.encode(released)
    with pytest.raises(ValueError, match="released"):
        gpt2.decode(released)
    with pytest.raises(RuntimeError, match="broken"):
        gpt2.decode([1, Broken()])
    with pytest.raises(TypeError, match="item at index 1 is an int"):
        gpt2.decode_batch([[1], 2])
    with pytest.raises(FileNotFoundError) as caught:
        bytepair.Tokenizer.train(Path("no such file"))
    assert caught.value.strerror == "No such file or directory"


def test_long_chains_and_patterns_are_refused():
    vocab = {byte: bytes([byte]) for byte in range(256)}
    for pattern in (["a+"] * 100_000, "a" * 100_000, r"\s+(?!\S)|" * 1000 + "a"):
        with pytest.raises(bytepair.PatternError):
            bytepair.Tokenizer(vocab, [], pattern=pattern)
    assert bytepair.Tokenizer(vocab, [], pattern=["a+"] * 64).encode("abc") == [97, 98, 99]


LEAKS = """
import ctypes, gc, sys
import bytepair

class Info(ctypes.Structure):
    # arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost
    _fields_ = [(name, ctypes.c_size_t) for name in ("a", "b", "c", "d", "mapped", "f", "g", "used", "i", "j")]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
text = "the cat sat on the mat and the dog sat on the log " * 200
bytepair.Tokenizer.train([text], 300).save(sys.argv[1])
for done in range(1, 201):
    tokenizer = bytepair.Tokenizer.load(sys.argv[1])
    tokenizer.encode(text), tokenizer.encode("=-" * 3000), tokenizer.encode_to_numpy(text)
    del tokenizer
    bytepair.Tokenizer.train([text] * 3, 300, num_threads=2).encode_batch([text] * 3)
    if done % 50 == 0:
        gc.collect()
        info = libc.mallinfo2()
        print(info.used + info.mapped)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc's malloc what it holds")
def test_nothing_is_left_of_what_is_loaded_and_trained(tmp_path):
    # What glibc keeps of freed pieces for its next calls counts as held, and its amount wanders: it is to keep none.
    environment = {**os.environ, "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0"}
    command = [sys.executable, "-c", LEAKS, tmp_path / "tokenizer.json"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    held = [int(line) for line in shown.split()]
    print("held after 50, 100, 150 and 200 rounds:", held)
    # Python's own tables grow now and then; the smallest leak takes 32 bytes each round.
    assert held[3] - held[0] < 32 * 150


def longest_stall(work):
    """How many seconds at most a thread that sleeps a millisecond at a time waits for its turn while `work` runs."""
    done = threading.Event()
    gaps = []

    def tick():
        last = time.perf_counter()
        while not done.is_set():
            time.sleep(0.001)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    with ThreadPoolExecutor(1) as threads:
        ticking = threads.submit(tick)
        try:
            work()
        finally:
            done.set()
        ticking.result()
    return max(gaps)


@pytest.mark.parametrize("method", ["encode", "encode_to_numpy"])
def test_another_thread_waits_at_most_50_ms_while_50_mb_are_encoded(method):
    text = "".join(f"word{i} " for i in range(4_500_000))[:50_000_000]
    encode = getattr(builtin("gpt2"), method)
    # A busy machine lets a thread wait too, but hardly in each of five runs; what holds the GIL does so in all.
    stalls, idle, ids = [], [], []
    while len(stalls) < 5 and (not stalls or min(stalls) > 0.05):
        # To free a list of so many takes Python as long, and is not what is asked about.
        ids.clear()
        idle.append(longest_stall(lambda: time.sleep(0.5)))
        stalls.append(longest_stall(lambda: ids.append(encode(text))))
    print(f"{method}: waits of {[round(s * 1e3) for s in stalls]} ms; beside none {[round(s * 1e3) for s in idle]} ms")
    assert min(stalls) <= 0.05 + min(idle)

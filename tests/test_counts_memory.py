"""Counts in little memory: what is on disk counts the same, and nothing is left there."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytepair import Counts, Tokenizer
from common import stdlib_texts
from counted import END, as_bytes, corpora, count, entries, saved


@given(corpus=corpora, data=st.data())
def test_what_is_on_disk_counts_the_same(corpus, data):
    num_threads = data.draw(st.sampled_from([1, 2, 8]))
    counts, little = count(corpus), Counts("gpt2", (END,), memory_limit=1)
    for document in corpus:
        # Short documents of one call are counted together; so every one is on disk before the next.
        little.update([document], num_threads=num_threads)
    assert little.n_spills >= sum(any(text.split(END)) for text in corpus)
    assert counts.n_spills == 0
    assert little == counts
    assert counts == little
    assert entries(little) == entries(counts)
    assert (len(little), little.total_bytes, little.total_pretokens) == (
        len(counts),
        counts.total_bytes,
        counts.total_pretokens,
    )
    assert as_bytes(little) == as_bytes(counts)
    assert as_bytes(pickle.loads(pickle.dumps(little))) == as_bytes(counts)
    more = data.draw(corpora)
    little.update(more)
    counts.update(more)
    assert little + count(more) == counts + count(more)
    assert count(more, memory_limit=1) + counts == counts + count(more)
    weight = data.draw(st.sampled_from([3, 0.75]))
    for each in (little, counts):
        each.scale(weight)
        each.update(corpus)
    assert as_bytes(little) == as_bytes(counts)
    if counts.total_bytes:
        assert Tokenizer.train(little, 300) == Tokenizer.train(counts, 300)
        assert Tokenizer.train(little, 300).training_report == Tokenizer.train(counts, 300).training_report


def test_a_corpus_in_little_memory_gives_the_same_tokenizer(tmp_path, rng):
    documents = [text for text in stdlib_texts() if text]
    path = tmp_path / "one.txt"
    path.write_text(END.join(documents), encoding="utf-8", newline="")
    expected, whole = Tokenizer.train(documents, 3_000), count(documents)
    for num_threads in [1, 2, 8]:
        rng.shuffle(documents)
        for corpus in (documents, path):
            little = count(corpus, memory_limit=300_000, num_threads=num_threads, shard="all")
            assert little.n_spills >= 3
            assert entries(little) == entries(whole)
            assert Tokenizer.train(little, 3_000) == expected
            assert Tokenizer.train(corpus, 3_000, memory_limit=200_000, num_threads=num_threads) == expected
    little.save(tmp_path / "little.bpc")
    again = Counts.load(tmp_path / "little.bpc", memory_limit=100_000)
    assert again.n_spills >= 3
    assert again == little
    assert saved(again, tmp_path / "again.bpc") == (tmp_path / "little.bpc").read_bytes()


def test_more_files_than_are_open_at_a_time(tmp_path):
    paths = [tmp_path / f"{index}.bpc" for index in range(150)]
    total = Counts()
    for index, path in enumerate(paths):
        part = count([f"word {index % 7} {index}"], shard=str(index))
        part.save(path)
        total += part
    Counts.merge_files(paths, tmp_path / "all")
    assert Counts.load(tmp_path / "all") == total
    assert len(total.shards) == 150


# Run in a process of its own, whose temporary files are in the folder that it is given.
SPILLING = """
import os, resource, sys
from bytepair import Counts, Tokenizer
documents = [" ".join(f"word{n}x" for n in range(i, i + 3_000)) for i in range(0, 60_000, 3_000)]
def count(**options):
    counts = Counts(memory_limit=100_000)
    counts.update(documents, **options)
    return counts
"""


def run(code: str, folder: Path, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TMPDIR": str(folder)}
    command = [sys.executable, "-c", SPILLING + code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=check)


def test_nothing_is_left_behind_by_a_process_that_is_killed(tmp_path):
    code = """
counts = count()
assert counts.n_spills >= 3
folder = os.environ["TMPDIR"]
open_files = [os.path.realpath(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")]
print(sum(name.startswith(folder) for name in open_files), len(os.listdir(folder)), flush=True)
os.kill(os.getpid(), 9)
"""
    done = run(code, tmp_path, check=False)
    n_open, n_named = map(int, done.stdout.split())
    assert done.returncode == -9
    assert n_open > 0
    assert n_named == 0
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error_that_names_the_folder(tmp_path):
    # No file may have more than 6,000 bytes: to a program, that is a disk which is full in the middle of a file.
    code = """
counts = Counts(memory_limit=100_000)
counts.update(["low lower"])
before = counts.most_common()
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, limits[1]))
for work in (lambda: counts.update(documents), lambda: Tokenizer.train(documents, 300, memory_limit=100_000)):
    try:
        work()
        print("no error")
    except OSError as error:
        print(error.filename)
    assert counts.most_common() == before
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
counts.update(documents)
assert counts.n_spills >= 3
print(counts.total_documents)
"""
    done = run(code, tmp_path)
    assert done.stdout.split() == [str(tmp_path), str(tmp_path), "21"]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_error_that_names_it(tmp_path):
    code = """
try:
    count()
except FileNotFoundError as error:
    print(error.filename)
"""
    assert run(code, tmp_path / "missing").stdout.strip() == str(tmp_path / "missing")


@pytest.mark.alone
@pytest.mark.parametrize("num_threads", [1, 2])
def test_ctrl_c_while_counts_go_to_disk(tmp_path, num_threads):
    code = f"""
import signal, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)
documents = documents * 400
counts = Counts(memory_limit=100_000)
counts.update(["low"])
threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT]).start()
started = time.perf_counter()
try:
    counts.update(documents, num_threads={num_threads})
except KeyboardInterrupt:
    print(time.perf_counter() - started, counts.total_documents)
"""
    seconds, n_documents = run(code, tmp_path).stdout.split()
    assert float(seconds) < 1.3
    assert n_documents == "1"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit", [0, -1])
def test_limits_that_are_none_are_refused(limit):
    with pytest.raises(ValueError, match="must be more than 0"):
        Counts(memory_limit=limit)
    with pytest.raises(ValueError, match="must be more than 0"):
        Tokenizer.train(["ab"], 300, memory_limit=limit)
    with pytest.raises(TypeError, match="not float"):
        Counts(memory_limit=1e9)

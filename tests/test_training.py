"""Merges are those of Hugging Face's trainer, of rustbpe and of the reference, however a corpus is cut and read."""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bytepair
from bytepair import Tokenizer, reference
from common import stdlib_texts
from peers import assert_same_merges, hugging_face_merges, rustbpe_merges

TIES = ["hf", "id", "bytes"]
END = "<|endoftext|>"


def merges(documents, n_merges, **options) -> list[tuple[bytes, bytes]]:
    return train(documents, n_merges, **options).merges


def train(documents, n_merges, **options) -> Tokenizer:
    specials = options.pop("special_tokens", ())
    return Tokenizer.train(documents, 256 + len(specials) + n_merges, special_tokens=specials, **options)


# Few symbols, so that pairs overlap ("aaa"), tie and nest; runs, so that they are long; some symbols of several bytes.
runs = st.tuples(st.sampled_from("ab cé\n1'中"), st.integers(1, 9)).map(lambda run: run[0] * run[1])
small_texts = st.one_of(
    st.text(alphabet="ab", min_size=1, max_size=40),
    st.text(alphabet="aé b", min_size=1, max_size=40),
    st.lists(runs, min_size=1, max_size=12).map("".join),
)
small_corpora = st.lists(small_texts, min_size=1, max_size=4)


@given(documents=small_corpora)
@pytest.mark.parametrize("tie", TIES)
def test_the_reference_learns_the_same(tie, documents):
    assert_same_merges(merges(documents, 40, tie=tie), reference.train(documents, 40, tie=tie))


@given(documents=small_corpora, min_frequency=st.integers(0, 5), max_token_length=st.integers(1, 6) | st.none())
@pytest.mark.parametrize("tie", TIES)
def test_the_reference_stops_the_same(tie, documents, min_frequency, max_token_length):
    limits = {"tie": tie, "min_frequency": min_frequency, "max_token_length": max_token_length}
    assert_same_merges(merges(documents, 40, **limits), reference.train(documents, 40, **limits))


@given(documents=small_corpora, min_frequency=st.integers(0, 4))
def test_hugging_face_learns_the_same(documents, min_frequency):
    ours = merges(documents, 60, min_frequency=min_frequency)
    assert_same_merges(ours, hugging_face_merges(documents, 60, min_frequency=min_frequency))


@given(documents=small_corpora)
def test_rustbpe_learns_the_same(documents):
    assert_same_merges(merges(documents, 60, tie="id"), rustbpe_merges(documents, 60))


@pytest.mark.parametrize("tie", TIES)
def test_the_reference_learns_the_same_from_sources(tie):
    documents = stdlib_texts()[:3]
    assert_same_merges(merges(documents, 150, tie=tie), reference.train(documents, 150, tie=tie))


def test_hugging_face_learns_the_same_from_sources():
    assert_same_merges(merges(stdlib_texts(), 7_744), hugging_face_merges(stdlib_texts(), 7_744))


def test_rustbpe_learns_the_same_from_sources():
    assert_same_merges(merges(stdlib_texts(), 7_744, tie="id"), rustbpe_merges(stdlib_texts(), 7_744))


def test_the_ties_differ():
    # Or else the comparisons above would show nothing about them.
    learned = {tuple(merges(stdlib_texts()[:10], 500, tie=tie)) for tie in TIES}
    assert len(learned) == len(TIES)


# How a corpus is cut and read


def cut_at_safe_places(text: str, rng: random.Random) -> list[str]:
    """Cut a text between a line that ends in a letter and one that begins with one, after the line end.

    There, GPT-2's pattern begins a pretoken whatever stands around.
    """
    lines = text.split("\n")
    parts = [[lines[0]]]
    for before, line in itertools.pairwise(lines):
        safe = line[:1].isalpha() and before[-1:].isalpha()
        if safe and rng.random() < 0.1:
            parts[-1].append("")
            parts.append([])
        parts[-1].append(line)
    return ["\n".join(part) for part in parts]


def test_however_it_is_read_the_result_is_the_same(tmp_path, rng):
    documents = [text for text in stdlib_texts() if text]
    expected = train(documents, 2_000, special_tokens=[END])
    paths = []
    for index, text in enumerate(documents):
        paths.append(tmp_path / f"{index}.txt")
        paths[-1].write_text(text, encoding="utf-8", newline="")
    joined = tmp_path / "joined.txt"
    joined.write_text(END.join(documents), encoding="utf-8", newline="")
    shuffled = rng.sample(documents, len(documents))
    cut = [part for text in documents for part in cut_at_safe_places(text, rng)]
    assert len(cut) > 2 * len(documents)
    ways = {
        "1 thread": (documents, {"num_threads": 1}),
        "2 threads": (documents, {"num_threads": 2}),
        "8 threads": (documents, {"num_threads": 8}),
        "shuffled": (shuffled, {}),
        "cut at safe places": (cut, {}),
        "bytes": ([text.encode() for text in documents], {}),
        "a generator": ((text for text in documents), {}),
        "one document": (END.join(documents), {}),
        "files": (paths, {}),
        "one file": (joined, {"num_threads": 1}),
        "one file, 2 threads": (joined, {"num_threads": 2}),
        "one file, 8 threads": (joined, {"num_threads": 8}),
    }
    for way, (corpus, options) in ways.items():
        tokenizer = train(corpus, 2_000, special_tokens=[END], **options)
        assert tokenizer.fingerprint == expected.fingerprint, way
        assert tokenizer.training_report.n_tokens == expected.training_report.n_tokens, way


def test_a_large_file_read_in_blocks_is_one_document(tmp_path):
    # No line ends or spaces near the seams of blocks, whatever their size, and characters of three bytes across them.
    text = "".join(stdlib_texts()[:40]) + "中文字符" * 300_000 + "x" * 5_000_000 + "".join(stdlib_texts()[:40])
    path = tmp_path / "large.txt"
    path.write_text(text, encoding="utf-8", newline="")
    expected = train([text], 300, num_threads=1)
    for num_threads in [1, 2, 8]:
        assert train(path, 300, num_threads=num_threads).fingerprint == expected.fingerprint


def test_files_of_any_size_and_kind_are_documents(tmp_path):
    sizes = [0, 5, 300_000, 2**20 - 1, 2**20, 9_000_000, 7]
    letters = random.Random(2).choices("abcd \n", k=max(sizes))
    documents = ["".join(letters[:size]) for size in sizes]
    paths = [tmp_path / str(index) for index in range(len(sizes))]
    for path, text in zip(paths, documents, strict=True):
        path.write_text(text)
    calls: list[tuple] = []
    tokenizer = train(paths, 50, progress=lambda *call: calls.append(call))
    expected = train(documents, 50)
    assert tokenizer == expected
    assert tokenizer.training_report == expected.training_report
    assert {total for stage, _, total in calls if stage == "counting"} == {sum(sizes)}
    assert max(done for stage, done, _ in calls if stage == "counting") == sum(sizes)

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(documents[2]))
    writer.start()
    calls.clear()
    paths[2] = pipe
    assert train(paths, 50, progress=lambda *call: calls.append(call)) == expected
    writer.join()
    counting = [(done, total) for stage, done, total in calls if stage == "counting"]
    assert counting[-1] == (sum(sizes), None), "the size of a pipe is known only when it is read"


def test_a_long_text_is_no_name_of_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for length in (255, 256, 300, 4095, 4096, 10_000):
        assert train("ab" * length, 1).merges == [(b"a", b"b")]
    (tmp_path / "ab").mkdir()
    assert train([b"ab"], 1).merges == train(["x", "ab"], 1).merges == [(b"a", b"b")]


def test_special_tokens_cut_documents_and_are_never_trained_on():
    specials = ["<s>", "<s><t>"]
    documents = ["ab<s>ab", "<s><t>ab<s>", "ab<t>"]
    tokenizer = train(documents, 50, special_tokens=specials)
    assert tokenizer.merges == merges(["ab", "ab", "ab", "ab<t>"], 50)
    assert tokenizer.merges != merges(documents, 50)
    assert tokenizer.special_tokens == {"<s>": tokenizer.vocab_size - 2, "<s><t>": tokenizer.vocab_size - 1}
    assert tokenizer.encode("<s>") != [tokenizer.special_tokens["<s>"]]
    assert tokenizer.merges == reference.train(documents, 50, special_tokens=specials)


# Limits and the report


def test_a_pair_below_the_minimum_frequency_is_not_merged():
    assert merges(["abab cd"], 9, min_frequency=2) == [(b"a", b"b")]
    assert merges(["abab cd"], 9, min_frequency=3) == []
    assert merges(["ab"], 9, min_frequency=0) == merges(["ab"], 9, min_frequency=1) == [(b"a", b"b")]


def test_the_longest_token_may_be_as_long_as_the_limit():
    prefixes = ["abcdefgh"[:length] for length in range(1, 9)]  # "ab" occurs most, then "abc" with it
    for limit in range(1, 9):
        tokens = [left + right for left, right in merges(prefixes, 99, max_token_length=limit)]
        assert max(map(len, tokens), default=1) == limit


@pytest.mark.parametrize(
    ("corpus", "options", "reason"),
    [
        (["ab ab abc"], {"n_merges": 2}, "the vocabulary has the size asked for"),
        (["ab ab abc"], {"n_merges": 0}, "the vocabulary has the size asked for"),
        (["ab"], {"n_merges": 2}, "no pair is left to merge in the corpus"),
        (["a b"], {"n_merges": 2, "max_token_length": 1}, "no pair is left to merge in the corpus"),
        (["abab"], {"n_merges": 2, "min_frequency": 3}, "occurs 2 times, less than the 3 asked for"),
    ],
)
def test_the_report_says_why_training_stopped(corpus, options, reason):
    assert reason in train(corpus, **options).training_report.stop_reason


def test_the_report_counts_the_corpus():
    documents = ["low low", f"low{END}lower é"]
    report = train(documents, 5, special_tokens=[END]).training_report
    assert (report.n_documents, report.n_bytes) == (2, len("low lowlowlower é".encode()))
    pretokens = [piece for text in ["low low", "low", "lower é"] for piece in reference.pretokens(text)]
    assert (report.n_pretokens, report.n_distinct_pretokens) == (len(pretokens), len(set(pretokens)))
    assert report.bytes_per_token(0) == 1


@pytest.mark.parametrize("tie", TIES)
def test_the_report_counts_tokens_as_encoding_does(tie):
    documents = stdlib_texts()[:30]
    tokenizer = train(documents, 700, tie=tie)
    n_tokens = tokenizer.training_report.n_tokens
    assert len(n_tokens) == 701
    for n_merges in [0, 1, 2, 10, 100, 699, 700]:
        tokens = dict(list(tokenizer.vocab.items())[: 256 + n_merges])
        smaller = Tokenizer(tokens, tokenizer.merges[:n_merges], pattern="gpt2")
        assert n_tokens[n_merges] == sum(map(smaller.count, documents))


def test_fewer_merges_are_the_first_of_more():
    more = merges(stdlib_texts()[:30], 900)
    assert merges(stdlib_texts()[:30], 300) == more[:300]


# Watching and interrupting


def large_corpus() -> list[str]:
    """About 60 MB that no table holds twice: every document has words of its own."""
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 12))) for _ in range(400_000)]
    return [" ".join(rng.choices(words, k=20_000)) for _ in range(400)]


@pytest.fixture(scope="module")
def large() -> list[str]:
    return large_corpus()


def test_progress_only_goes_forward(large):
    calls = []
    tokenizer = train(large[:150], 3_000, progress=lambda *call: calls.append(call))
    assert tokenizer == train(large[:150], 3_000)
    stages = [stage for stage, _, _ in calls]
    assert set(stages) == {"counting", "merging"}
    assert stages == sorted(stages), "merging comes after counting"
    for stage in set(stages):
        done = [(done, total) for name, done, total in calls if name == stage]
        assert done == sorted(done, key=lambda pair: pair[0])
        assert all(total is None or 0 <= at <= total for at, total in done)


@pytest.mark.parametrize(
    ("corpus", "n_merges", "counted", "merged"),
    [
        (["ab ab"], 1, (5, None), (1, 1)),
        ("ab" * 9_000_000, 1, (18_000_000, None), (1, 1)),
        (["ab" * 5_000_000] * 3, 1, (30_000_000, None), (1, 1)),
        (["ab"], 0, (2, None), (0, 0)),
        (["abc"], 9, (3, None), (2, 9)),
    ],
)
def test_the_end_of_each_stage_is_reported(corpus, n_merges, counted, merged):
    calls = []
    train(corpus, n_merges, progress=lambda *call: calls.append(call))
    stages = [stage for stage, _, _ in calls]
    assert set(stages) == {"counting", "merging"}
    assert calls[stages.index("merging") - 1] == ("counting", *counted)
    assert calls[-1] == ("merging", *merged)
    assert calls.count(calls[-1]) == 1


def test_progress_of_files_has_a_total(large, tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text(END.join(large[:100]))
    calls = []
    train(path, 10, progress=lambda *call: calls.append(call))
    assert {total for stage, _, total in calls if stage == "counting"} == {path.stat().st_size}


def test_what_progress_raises_ends_training(large):
    class EnoughError(Exception):
        pass

    def watch(stage, _done, _total):
        if stage == "merging":
            raise EnoughError

    with pytest.raises(EnoughError):
        train(large[:20], 3_000, progress=watch)


@pytest.mark.alone
@pytest.mark.parametrize("stage", ["counting", "merging"])
def test_ctrl_c_ends_training_within_a_second(large, stage):
    sent = []

    def send(now, _done, _total):
        # From another thread and somewhat later, so that the signal does not arrive inside this very call.
        if now == stage and not sent:
            sent.append(None)
            threading.Timer(0.05, press).start()

    def press():
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(large, 40_000, progress=send)
    assert time.perf_counter() - sent[-1] < 1
    # No damage: the same process trains on.
    assert merges(["low low lower"], 2) == [(b"l", b"o"), (b"lo", b"w")]


@pytest.mark.alone
def test_ctrl_c_without_progress(large):
    started = time.perf_counter()
    timer = threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        train(large, 40_000)
    assert time.perf_counter() - started < 1.3


def test_what_a_generator_raises_is_not_changed():
    error = LookupError("the source broke")

    def documents() -> Iterator[str]:
        yield "one"
        raise error

    with pytest.raises(LookupError) as caught:
        train(documents(), 5)
    assert caught.value is error


def test_a_generator_may_use_the_tokenizer_that_is_trained_before():
    first = train(["low low lower"], 5)
    again = train((first.decode(first.encode(text)) for text in ["low low", "lower"]), 5)
    assert again.merges == merges(["low low", "lower"], 5)
    assert isinstance(again.training_report, bytepair.TrainingReport)


def test_the_texts_take_no_more_memory_afterwards():
    """Python keeps the UTF-8 of a str that is not ASCII, once it was asked for it."""
    short = [f"добра порада {number}" for number in range(500)]
    long = [text for number in range(200) for text in (f"добра порада {number} " * 20, f"good advice {number} " * 20)]
    huge = ["добра порада " * 200_000] * 3
    for texts in (short, long, huge):
        before = [sys.getsizeof(text) for text in texts]
        Tokenizer.train(texts, 300)
        assert [sys.getsizeof(text) for text in texts] == before

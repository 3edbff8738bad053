"""Counts of parts of a corpus add up to those of the whole, whatever the parts, the order, and what is in between."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import subprocess
import sys
import threading
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytepair import Counts, Tokenizer, TrainingError, reference
from bytepair.cli import main
from common import stdlib_texts
from counted import END, as_bytes, corpora, count, entries, saved

# What is counted


@given(corpus=corpora)
def test_what_is_counted_are_the_pretokens(corpus):
    expected = Counter(
        pretoken for text in corpus for part in text.split(END) for pretoken in reference.pretokens(part)
    )
    counts = count(corpus)
    assert entries(counts) == expected
    assert len(counts) == len(expected)
    assert counts.total_pretokens == expected.total()
    assert counts.total_bytes == sum(len(pretoken) * n for pretoken, n in expected.items())
    assert counts.total_documents == len(corpus)


@given(corpus=corpora, data=st.data())
def test_parts_add_up_to_the_whole_in_any_order(corpus, data):
    whole = count(corpus, num_threads=data.draw(st.sampled_from([1, 2, 8])))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(corpus)), min_size=6, max_size=6)))
    parts = [count(corpus[start:end]) for start, end in itertools.pairwise([0, *cuts, len(corpus)])]
    assert len(parts) == 7
    total = Counts()
    for part in data.draw(st.permutations(parts)):
        total += part
    assert total == whole
    assert as_bytes(total) == as_bytes(whole)
    assert as_bytes(count(data.draw(st.permutations(corpus)))) == as_bytes(whole)


@given(corpus=corpora)
def test_training_on_counts_is_training_on_the_corpus(corpus):
    if not any(corpus):
        return
    counts = count(corpus)
    if counts.total_bytes == 0:
        return
    from_corpus = Tokenizer.train(corpus, 300)
    assert Tokenizer.train(counts, 300) == from_corpus
    assert Tokenizer.train(counts, 300) == from_corpus, "training changes nothing of the counts"
    assert Tokenizer.train(counts, 300).training_report == from_corpus.training_report


def test_seven_files_are_one_process(tmp_path, rng):
    texts = [text for text in stdlib_texts() if text]
    files = []
    for index, text in enumerate(texts):
        files.append(tmp_path / f"{index}.py")
        files[-1].write_text(text, encoding="utf-8", newline="")
    whole = saved(count(files), tmp_path / "whole.bpc")
    for _ in range(3):
        rng.shuffle(files)
        paths = [tmp_path / f"{index}.bpc" for index in range(7)]
        for index, path in enumerate(paths):
            count(files[index::7], num_threads=rng.choice([1, 2, 8])).save(path)
        rng.shuffle(paths)
        Counts.merge_files(paths, tmp_path / "all.bpc")
        assert (tmp_path / "all.bpc").read_bytes() == whole
        total = Counts()
        for path in paths:
            total.merge(Counts.load(path))
        assert saved(total, tmp_path / "total.bpc") == whole
    trained = Tokenizer.train(files, 2_000)
    assert Tokenizer.train(Counts.load(tmp_path / "whole.bpc"), 2_000) == trained


# Nothing counts twice


def test_a_file_is_known_by_its_content(tmp_path):
    one, again, two, empty, large = (tmp_path / name for name in ["one", "again", "two", "empty", "large"])
    one.write_text("low lower")
    again.write_text("low lower")
    two.write_text("lowest")
    empty.write_text("")
    large.write_bytes(b"word " * 500_000)
    counts = count([one, empty, large])
    digests = {hashlib.sha256(path.read_bytes()).digest() for path in (one, large)}
    assert set(counts.shards) == digests
    digest = hashlib.sha256(b"low lower").hexdigest()
    for twice in ([again], [two, again]):
        before = as_bytes(counts)
        with pytest.raises(TrainingError, match=digest):
            counts.update(twice)
        assert as_bytes(counts) == before
        with pytest.raises(TrainingError, match=digest):
            counts.merge(count(twice))
        assert as_bytes(counts) == before
    with pytest.raises(TrainingError, match=hashlib.sha256(large.read_bytes()).hexdigest()):
        counts.update([two, large])
    counts.update([empty, two])
    # A list that names a file twice means it, as it does for training.
    assert entries(count([two, two])) == {b"lowest": 2}


def test_a_shard_is_known_by_its_name(tmp_path):
    path = tmp_path / "a"
    path.write_text("low")
    counts = count([path], shard="part 1")
    assert counts.shards == ("part 1",)
    counts.update([path], shard="part 2")
    counts.update(["low"])
    assert counts.shards == ("part 1", "part 2")
    for corpus in (["other"], [path]):
        with pytest.raises(TrainingError, match='"part 2" was counted before'):
            counts.update(corpus, shard="part 2")
    with pytest.raises(TrainingError, match='"part 1"'):
        counts + count(["x"], shard="part 1")
    assert entries(counts) == {b"low": 3}


def test_files_that_share_a_shard_are_refused_by_name(tmp_path):
    for name, shard in [("1.bpc", "a"), ("2.bpc", "b"), ("3.bpc", "a")]:
        count(["low"], shard=shard).save(tmp_path / name)
    paths = [tmp_path / name for name in ("1.bpc", "2.bpc", "3.bpc")]
    with pytest.raises(TrainingError, match=r'"a" is counted in .*1\.bpc and in .*3\.bpc'):
        Counts.merge_files(paths, tmp_path / "all.bpc")
    assert not (tmp_path / "all.bpc").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.bpc", "2.bpc", "3.bpc"]


# What cannot be added up


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"pattern": "cl100k"}, "split pattern"),
        ({"pattern": r"\w+|\W+"}, r"\\w"),
        ({"special_tokens": ("<a>",)}, "<a>"),
        ({"special_tokens": ()}, "special tokens"),
        ({"special_tokens": ("<a>", END)}, "<a>"),
    ],
)
def test_counts_of_another_split_are_refused(other, named, tmp_path):
    ours, theirs = count(["low"]), count(["low"], **other)
    assert ours.fingerprint != theirs.fingerprint
    assert ours != theirs
    with pytest.raises(TrainingError, match=named):
        ours.merge(theirs)
    ours.save(tmp_path / "ours")
    theirs.save(tmp_path / "theirs")
    with pytest.raises(TrainingError, match=named) as caught:
        Counts.merge_files([tmp_path / "ours", tmp_path / "theirs"], tmp_path / "all")
    assert all(str(tmp_path / name) in str(caught.value) for name in ("ours", "theirs"))
    with pytest.raises(TrainingError, match="these counts were made with"):
        Tokenizer.train(ours, 300, **other)
    assert Tokenizer.train(theirs, 300).special_tokens.keys() == set(theirs.special_tokens)
    assert Tokenizer.train(theirs, 300, **other) == Tokenizer.train(theirs, 300)


def test_what_is_not_counts_is_refused():
    with pytest.raises(TypeError, match="not list"):
        Counts().merge([])
    with pytest.raises(TypeError):
        Counts() + 1
    with pytest.raises(TypeError, match="shard must be a str"):
        Counts().update(["x"], shard=1)
    with pytest.raises(TypeError, match="iterable of paths"):
        Counts.merge_files("a.bpc", "b.bpc")


def test_an_update_that_fails_counts_nothing(tmp_path):
    counts = count(["low"])
    before = as_bytes(counts)

    def broken():
        yield "word " * 4_000_000
        raise LookupError

    with pytest.raises(LookupError):
        counts.update(broken())
    with pytest.raises(FileNotFoundError):
        counts.update([Path(__file__), tmp_path / "missing"])
    with pytest.raises(TypeError, match="document 1"):
        counts.update(["a", 1])
    assert as_bytes(counts) == before


# Weights


@given(corpus=corpora, weight=st.fractions(min_value=Fraction(1, 1000), max_value=1000, max_denominator=1000))
def test_a_weight_is_rounded_once_and_nothing_else_is(corpus, weight):
    counts, scaled = count(corpus), count(corpus)
    scaled.scale(weight)
    rounded = Fraction(round(weight * 2**16), 2**16)
    unit = Fraction(1, 2**scaled.fraction_bits)
    assert scaled.fraction_bits <= 16
    assert {pretoken: n * unit for pretoken, n in entries(scaled).items()} == {
        pretoken: n * rounded for pretoken, n in entries(counts).items()
    }
    assert scaled.total_pretokens * unit == counts.total_pretokens * rounded
    assert scaled.total_documents == counts.total_documents


@given(corpus=corpora, other=corpora, weight=st.sampled_from([1, 2, 3, 0.5, 0.3, Fraction(7, 5), 10.25]))
def test_sums_of_weights_are_exact(corpus, other, weight, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp()
    ours, theirs = count(corpus), count(other)
    theirs.scale(weight)
    total = ours + theirs
    one = 2**total.fraction_bits
    rounded = round(Fraction(weight) * 2**16) * one // 2**16
    expected = Counter({pretoken: n * one for pretoken, n in entries(ours).items()})
    expected.update({pretoken: n * rounded for pretoken, n in entries(count(other)).items()})
    assert entries(total) == expected
    assert as_bytes(theirs + ours) == as_bytes(total)
    ours.save(folder / "ours")
    theirs.save(folder / "theirs")
    Counts.merge_files([folder / "theirs", folder / "ours"], folder / "total")
    assert Counts.load(folder / "total") == total
    # To count on is to count in the same unit.
    total.update(corpus)
    expected.update({pretoken: n * one for pretoken, n in entries(ours).items()})
    assert entries(total) == expected


def test_a_unit_changes_no_merge():
    counts = count(stdlib_texts()[:20])
    for weight in [Fraction(1, 3), 7]:
        scaled = copy.copy(counts)
        scaled.scale(weight)
        assert scaled != counts
        assert Tokenizer.train(scaled, 1_500) == Tokenizer.train(counts, 1_500)
    half = copy.deepcopy(counts)
    half.scale(0.5)
    assert half.fraction_bits == 1
    assert Tokenizer.train(half, 10_000, min_frequency=3) == Tokenizer.train(counts, 10_000, min_frequency=6)
    half.scale(2)
    assert half == counts


@pytest.mark.parametrize("weight", [0, -1, -0.5, 2**-18, Fraction(1, 10**9), float("nan"), float("inf")])
def test_weights_that_are_none_are_refused(weight):
    counts = count(["low"])
    with pytest.raises(ValueError, match="weight="):
        counts.scale(weight)
    assert entries(counts) == {b"low": 1}


def test_weights_have_an_end():
    counts = count(["low"])
    for _ in range(3):
        counts.scale(Fraction(3, 2**16))
    assert (counts.fraction_bits, entries(counts)) == (48, {b"low": 27})
    with pytest.raises(TrainingError, match="bits after the point"):
        counts.scale(0.5)
    assert entries(counts) == {b"low": 27}


# Sums near 2**63 and 2**64


def heavy(text: str, log2: int) -> Counts:
    """A text that counts 2**log2 times."""
    counts = count([text])
    for _ in range(log2 // 40):
        counts.scale(2**40)
    counts.scale(2 ** (log2 % 40))
    return counts


def test_sums_up_to_the_last_are_exact(tmp_path):
    # "ab" 2**62 times, "a" 2**63 - 1 times: 2**64 - 1 bytes.
    total = heavy("ab", 62)
    for log2 in range(63):
        total += heavy("a", log2)
    assert entries(total) == {b"ab": 2**62, b"a": 2**63 - 1}
    assert (total.total_pretokens, total.total_bytes) == (2**62 + 2**63 - 1, 2**64 - 1)
    total.save(tmp_path / "total")
    assert Counts.load(tmp_path / "total") == total
    assert Tokenizer.train(total, 300).merges == [(b"a", b"b")]
    assert Tokenizer.train(total, 300).training_report.n_tokens == (2**64 - 1, 2**64 - 1 - 2**62)


@pytest.mark.parametrize("more", ["a", "b", "ab"])
def test_sums_that_do_not_fit_are_errors_and_change_nothing(tmp_path, more):
    total = heavy("ab", 62)
    for log2 in range(63):
        total += heavy("a", log2)
    before = as_bytes(total)
    extra = count([more])
    for change in (
        lambda: total.update([more]),
        lambda: total.merge(extra),
        lambda: total + extra,
        lambda: total.scale(2),
        lambda: total.scale(0.75),
    ):
        with pytest.raises(TrainingError, match=r"2\^64 - 1 bytes"):
            change()
        assert as_bytes(total) == before
    total.save(tmp_path / "total")
    extra.save(tmp_path / "extra")
    with pytest.raises(TrainingError, match=r"2\^64 - 1 bytes"):
        Counts.merge_files([tmp_path / "total", tmp_path / "extra"], tmp_path / "all")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["extra", "total"]


# The command line


def bytepair(*arguments: object, code: int = 0) -> str:
    command = [sys.executable, "-m", "bytepair", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


def test_counts_from_the_command_line(tmp_path):
    texts = [tmp_path / name for name in ("a.txt", "b.txt", "c.txt")]
    for index, path in enumerate(texts):
        path.write_text(f"low lower lowest newest widest {index}\n" * 50)
    parts = [path.with_suffix(".bpc") for path in texts]
    for text, part in zip(texts, parts, strict=True):
        assert "distinct of" in bytepair("counts", text, "-o", part, "--memory-limit", "1K")
    merged = tmp_path / "all.bpc"
    shown = json.loads(bytepair("counts", "--merge", *parts, "-o", merged, "--json"))
    assert (shown["documents"], shown["shards"], shown["bytes"]) == (3, 3, sum(path.stat().st_size for path in texts))
    assert Counts.load(merged) == count(texts)
    trained = {}
    for name, arguments in {
        "text": [*texts],
        "merged": ["--counts", merged],
        "parts": ["--counts", *parts],
        "little": [*texts, "--memory-limit", "1K"],
    }.items():
        bytepair("train", *arguments, "-o", tmp_path / f"{name}.json", "-v", 270)
        trained[name] = (tmp_path / f"{name}.json").read_bytes()
    assert len(set(trained.values())) == 1


def test_files_of_counts_are_added_up_one_by_one(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        count([f"low {name}"]).save(tmp_path / name)
    calls = []
    load, merge = Counts.load, Counts.merge
    monkeypatch.setattr(Counts, "load", lambda *args, **options: calls.append("load") or load(*args, **options))
    monkeypatch.setattr(Counts, "merge", lambda *args: calls.append("merge") or merge(*args))
    arguments = ["train", "-v", "259", "-o", str(tmp_path / "all.json"), "--counts"]
    assert main([*arguments, *(str(tmp_path / name) for name in ("a", "b", "c"))]) == 0
    assert calls == ["load", "load", "merge", "load", "merge"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["counts", "--merge", "one.bpc", "again.bpc", "-o", "all.bpc"],
            1,
            '"part" is counted in one.bpc and in again',
        ),
        (["counts", "--merge", "one.bpc", "text", "-o", "all.bpc"], 1, "text: byte 0: this is no counts file"),
        (["counts", "--merge", "one.bpc", "-p", "gpt2", "-o", "all.bpc"], 1, "leave 'gpt2' out"),
        (["counts", "--merge", "-o", "all.bpc"], 1, "name them"),
        (["counts", "missing", "-o", "all.bpc"], 1, "there is no file missing"),
        (["counts", "text"], 2, "required"),
        (["counts", "text", "-o", "all.bpc", "--memory-limit", "much"], 2, "is no size"),
        (["train", "text", "--counts", "one.bpc", "-o", "all.json"], 1, "leave the other files out"),
        (["train", "--counts", "one.bpc", "-p", "cl100k", "-o", "all.json"], 1, "these counts were made with"),
        (["train", "--counts", "one.bpc", "again.bpc", "-o", "all.json"], 1, '"part"'),
    ],
)
def test_what_the_command_line_refuses(tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    Path("text").write_text("low lower")
    for name in ("one.bpc", "again.bpc"):
        count(["low lower"], shard="part").save(name)
    assert message in bytepair(*arguments, code=code)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.bpc", "one.bpc", "text"]


# Threads


def test_counts_in_use_by_another_thread_are_waited_for():
    counts = count([" ".join(map(str, range(start, start + 1000))) for start in range(0, 300_000, 1000)])
    counter = counts._counts.counter(None, None, False)
    counter.add_documents(["more and more"], 0, None)
    in_use, leave = threading.Event(), threading.Event()

    def progress(stage: str, *_: object) -> None:
        in_use.set()
        assert leave.wait(60)

    user = threading.Thread(target=Tokenizer.train, args=(counts, 300), kwargs={"progress": progress})
    user.start()
    assert in_use.wait(60)
    with pytest.raises(RuntimeError, match="in use by another thread"):
        len(counts)
    threading.Timer(0.2, leave.set).start()
    counter.commit()
    assert leave.is_set()
    user.join()
    assert (counts.total_documents, dict(counts.most_common())[b" more"]) == (301, 1)


def test_counts_are_not_waited_for_by_who_uses_them():
    counts = count(["low lower lowest"])
    with pytest.raises(RuntimeError, match="in use"):
        Tokenizer.train(counts, 260, progress=lambda *_: counts.update(["low"]))
    assert counts.total_documents == 1


def test_threads_update_one_counts():
    counts, errors = Counts(), []

    def update(index: int) -> None:
        # Each of the names comes twice.
        for part in range(20):
            try:
                counts.update([f"{index // 2} {part} low"], shard=f"{index // 2}-{part}", num_threads=1)
            except TrainingError as error:
                errors.append(str(error))

    threads = [threading.Thread(target=update, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 60
    assert all("was counted before" in error for error in errors)
    assert (counts.total_documents, dict(counts.most_common())[b" low"]) == (60, 60)

"""A training that is interrupted goes on from its checkpoint as if it had not been: whatever stopped it, wherever."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytepair import Counts, FormatError, Tokenizer, TrainingError, _checkpoint
from common import SEED, builtin, stdlib_texts
from test_training import END, TIES, small_corpora

# How many times a training is killed; `make test-kills` asks for more.
KILLS = int(os.environ.get("BYTEPAIR_KILLS", "15"))

TEXTS = stdlib_texts()[:40]


class StopError(Exception):
    """What the tests interrupt a training with."""


def stopping_at(stage: str, done: int):
    """A progress callback that raises once a stage has come so far."""

    def progress(now: str, so_far: int, total: int | None) -> None:
        if now == stage and so_far >= done:
            raise StopError

    return progress


@pytest.fixture
def often(monkeypatch) -> None:
    """Keep the merges whenever the trainer looks up."""
    monkeypatch.setattr(_checkpoint, "SECONDS", 0.0)


def assert_same(ours: Tokenizer, expected: Tokenizer) -> None:
    assert ours == expected
    assert ours.training_report == expected.training_report


@given(documents=small_corpora, sizes=st.lists(st.integers(0, 40), min_size=1, max_size=4), data=st.data())
@pytest.mark.parametrize("tie", TIES)
def test_any_sizes_one_after_the_other_give_what_each_gives(tie, documents, sizes, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint") / "c"
    options = {"tie": tie, "min_frequency": data.draw(st.integers(0, 3)), "special_tokens": [END]}
    for size in sizes:
        ours = Tokenizer.train(documents, 257 + size, checkpoint=folder, **options)
        assert_same(ours, Tokenizer.train(documents, 257 + size, **options))


@pytest.mark.parametrize("tie", TIES)
def test_a_training_goes_on_after_any_exception(tie, tmp_path, often, rng):
    whole = Tokenizer.train(TEXTS, 4_000, tie=tie)
    kept = []
    for _ in range(8):
        # The trainer tells of progress ten times a second, so it stops where it is then.
        with pytest.raises(StopError):
            Tokenizer.train(TEXTS, 4_000, tie=tie, checkpoint=tmp_path, progress=stopping_at("merging", 1))
        kept.append((tmp_path / "merges").stat().st_size)
    assert kept == sorted(kept)
    assert_same(Tokenizer.train(TEXTS, 4_000, tie=tie, checkpoint=tmp_path), whole)


def test_what_is_counted_is_not_counted_again(tmp_path):
    stages = []
    with pytest.raises(StopError):
        Tokenizer.train(TEXTS, 600, checkpoint=tmp_path, progress=stopping_at("merging", 0))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counts", "merges", "training.json"]
    for vocab_size in (600, 700, 500):
        tokenizer = Tokenizer.train(
            iter(TEXTS), vocab_size, checkpoint=tmp_path, progress=lambda stage, *_: stages.append(stage)
        )
        assert_same(tokenizer, Tokenizer.train(TEXTS, vocab_size))
    assert set(stages) == {"merging"}


def test_every_form_of_corpus_is_known_again(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("low lower lowest")
    forms = [
        "low lower lowest",
        b"low lower lowest",
        path,
        [path],
        ["low", "lower lowest"],
        [bytearray(b"low"), memoryview(b" low")],
    ]
    for index, corpus in enumerate(forms):
        stages = set()
        for vocab_size in (259, 260):
            tokenizer = Tokenizer.train(corpus, vocab_size, checkpoint=tmp_path / str(index))
            assert_same(tokenizer, Tokenizer.train(corpus, vocab_size))
        Tokenizer.train(
            corpus, 261, checkpoint=tmp_path / str(index), progress=lambda stage, *_, stages=stages: stages.add(stage)
        )
        assert stages == {"merging"}
    # A text and its bytes are one document.
    assert Tokenizer.train(forms[1], 260, checkpoint=tmp_path / "0") == Tokenizer.train(forms[0], 260)


def test_a_smaller_vocabulary_leaves_the_merges_of_a_larger_one(tmp_path, often):
    Tokenizer.train(TEXTS, 700, checkpoint=tmp_path)
    kept = (tmp_path / "merges").read_bytes()
    assert_same(Tokenizer.train(TEXTS, 500, checkpoint=tmp_path), Tokenizer.train(TEXTS, 500))
    assert (tmp_path / "merges").read_bytes() == kept
    Tokenizer.train(TEXTS, 800, checkpoint=tmp_path)
    assert len((tmp_path / "merges").read_bytes()) == len(kept) + 8 * 100


def test_a_pipe_is_refused_before_it_is_read(tmp_path):
    # Two pipes cannot be told apart: what the first gave would be taken for what the second gives.
    command = [sys.executable, "-m", "bytepair", "train", "-o", str(tmp_path / "t.json"), "-v", "260"]
    for text in (b"low lower lowest", b"new newer newest"):
        done = subprocess.run(
            [*command, "--checkpoint", str(tmp_path / "c")], input=text, capture_output=True, check=False
        )
        assert done.returncode == 1
        assert b"what a pipe gives cannot be compared" in done.stderr
        assert b"write it to a file first" in done.stderr
    assert not (tmp_path / "t.json").exists()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TrainingError, match="pipe is no regular file"):
        Tokenizer.train([Path(__file__), tmp_path / "pipe"], 260, checkpoint=tmp_path / "c")


@pytest.mark.parametrize("document", [5, 10**15, None, {"text": "a"}, ["a"], 0.5], ids=repr)
def test_a_wrong_document_is_told_as_without_a_checkpoint(document, tmp_path):
    messages = []
    for options in ({}, {"checkpoint": tmp_path}):
        with pytest.raises(TypeError, match="document 1 of the corpus is a") as raised:
            Tokenizer.train(["text", document], 258, **options)
        messages.append(str(raised.value))
    assert messages[0] == messages[1]
    # Nor is it passed over where the counts are there.
    Tokenizer.train(["text"], 258, checkpoint=tmp_path)
    with pytest.raises(TrainingError, match="its 1 documents were not these 2"):
        Tokenizer.train(["text", document], 258, checkpoint=tmp_path)


def test_an_interrupted_count_begins_anew(tmp_path):
    def broken():
        yield from TEXTS
        raise StopError

    with pytest.raises(StopError):
        Tokenizer.train(broken(), 600, checkpoint=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert_same(Tokenizer.train(TEXTS, 600, checkpoint=tmp_path), Tokenizer.train(TEXTS, 600))


@pytest.mark.alone
def test_ctrl_c_while_merging_keeps_the_merges(tmp_path):
    def progress(stage: str, done: int, total: int | None) -> None:
        if stage == "merging" and done > 0:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        Tokenizer.train(TEXTS, 8_000, checkpoint=tmp_path, progress=progress)
    n_kept = ((tmp_path / "merges").stat().st_size - len(_checkpoint._HEAD) - 32) // 8
    assert 0 < n_kept < 8_000
    assert_same(Tokenizer.train(TEXTS, 8_000, checkpoint=tmp_path), Tokenizer.train(TEXTS, 8_000))


def test_merges_that_cannot_be_kept_end_the_training_or_are_a_note(tmp_path, monkeypatch):
    def keep(self, merges: bytes) -> None:
        raise OSError(28, "No space left on device", "merges")

    monkeypatch.setattr(_checkpoint.Checkpoint, "keep_merges", keep)
    # What ended the training is what is raised; that the merges were lost, too, is said beside it.
    with pytest.raises(StopError) as raised:
        Tokenizer.train(TEXTS, 4_000, checkpoint=tmp_path, progress=stopping_at("merging", 0))
    assert raised.value.__notes__ == [
        "the last merges could not be saved: OSError: [Errno 28] No space left on device: 'merges'"
    ]
    monkeypatch.setattr(_checkpoint, "SECONDS", 0.0)
    with pytest.raises(OSError, match="No space left on device"):
        Tokenizer.train(TEXTS, 4_000, checkpoint=tmp_path)
    monkeypatch.undo()
    assert_same(Tokenizer.train(TEXTS, 4_000, checkpoint=tmp_path), Tokenizer.train(TEXTS, 4_000))


def test_an_extension_goes_on_too(tmp_path, often):
    gpt2 = builtin("gpt2")
    with pytest.raises(StopError):
        gpt2.extend(TEXTS, 52_000, checkpoint=tmp_path, progress=stopping_at("merging", 50_001))
    assert_same(gpt2.extend(TEXTS, 52_000, checkpoint=tmp_path), gpt2.extend(TEXTS, 52_000))
    with pytest.raises(TrainingError, match=r"keeps a training with base='[0-9a-f]{64}'"):
        builtin("p50k_base").extend(TEXTS, 52_000, checkpoint=tmp_path)


def test_counts_are_a_corpus_that_goes_on(tmp_path):
    counts = Counts()
    counts.update(TEXTS)
    Tokenizer.train(counts, 600, checkpoint=tmp_path)
    assert_same(Tokenizer.train(counts, 700, checkpoint=tmp_path), Tokenizer.train(counts, 700))
    counts.update(["more"])
    with pytest.raises(TrainingError, match="keeps a training with another corpus: the counts are others"):
        Tokenizer.train(counts, 700, checkpoint=tmp_path)


def test_a_smaller_vocabulary_leaves_the_merges_that_are_kept(tmp_path, often):
    larger = Tokenizer.train(TEXTS, 700, checkpoint=tmp_path)
    kept = (tmp_path / "merges").read_bytes()
    assert_same(Tokenizer.train(TEXTS, 600, checkpoint=tmp_path), Tokenizer.train(TEXTS, 600))
    with pytest.raises(StopError):
        Tokenizer.train(TEXTS, 700, checkpoint=tmp_path, progress=stopping_at("merging", 0))
    assert (tmp_path / "merges").read_bytes() == kept
    assert_same(Tokenizer.train(TEXTS, 700, checkpoint=tmp_path), larger)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tie": "id"}, "keeps a training with tie='hf', and this one has 'id'"),
        ({"pattern": "cl100k"}, "with pattern='gpt2', and this one has 'cl100k'"),
        ({"special_tokens": ["<s>"]}, r"with special_tokens=\['<\|endoftext\|>'\], and this one has \['<s>'\]"),
        ({"min_frequency": 2}, "with min_frequency=1, and this one has 2"),
        ({"max_token_length": 9}, "with max_token_length=None, and this one has 9"),
        ({"corpus": ["other"]}, "another corpus: its 1 documents were not these 1"),
        ({"corpus": ["text", ""]}, "another corpus: its 1 documents were not these 2"),
        ({"corpus": Path(__file__)}, "another corpus: it was of documents, and this one is of files"),
    ],
)
def test_another_training_is_refused_by_what_differs(options, message, tmp_path):
    options = {"corpus": ["text"], "vocab_size": 258, "checkpoint": tmp_path} | options
    Tokenizer.train(["text"], 258, checkpoint=tmp_path)
    with pytest.raises(TrainingError, match=message):
        Tokenizer.train(**options)


def test_other_files_are_refused_by_name(tmp_path):
    one, two, three = (tmp_path / name for name in ("one.txt", "two.txt", "three.txt"))
    for path in (one, two, three):
        path.write_text("some text")
    folder = tmp_path / "checkpoint"
    Tokenizer.train([one, two], 258, checkpoint=folder)
    # Their order does not matter, nor how they are named.
    Tokenizer.train([two, Path(os.path.relpath(one))], 258, checkpoint=folder)
    for files, message in [
        ([one], "two.txt was in it"),
        ([one, two, three], "three.txt was not in it"),
        ([one, one, two], "a file was in it another number of times"),
    ]:
        with pytest.raises(TrainingError, match=message):
            Tokenizer.train(files, 258, checkpoint=folder)
    two.write_text("some more text")
    with pytest.raises(TrainingError, match=r"two.txt has changed since"):
        Tokenizer.train([one, two], 258, checkpoint=folder)


@pytest.mark.parametrize("name", ["counts", "training.json", "merges"])
def test_a_damaged_file_is_refused_by_name(name, tmp_path, rng):
    Tokenizer.train(TEXTS[:3], 400, checkpoint=tmp_path)
    whole = (tmp_path / name).read_bytes()
    for _ in range(20):
        at = rng.randrange(len(whole))
        cut, flipped = whole[:at], bytearray(whole)
        flipped[at] ^= 1 << rng.randrange(8)
        (tmp_path / name).write_bytes(cut)
        with pytest.raises(FormatError, match=f"{name}: "):
            Tokenizer.train(TEXTS[:3], 400, checkpoint=tmp_path)
        (tmp_path / name).write_bytes(flipped)
        # A flipped bit of the arguments may also make others of them.
        with pytest.raises((FormatError, TrainingError) if name == "training.json" else FormatError):
            Tokenizer.train(TEXTS[:3], 400, checkpoint=tmp_path)
    (tmp_path / name).write_bytes(whole)
    Tokenizer.train(TEXTS[:3], 400, checkpoint=tmp_path)


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(TrainingError, match=r"holds thesis.txt, so it is no checkpoint; name a new or empty folder"):
        Tokenizer.train(["text"], 258, checkpoint=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(FileExistsError):
        Tokenizer.train(["text"], 258, checkpoint=tmp_path / "thesis.txt")
    with pytest.raises(FileNotFoundError):
        Tokenizer.train(["text"], 258, checkpoint=tmp_path / "none" / "checkpoint")


CHILD = """
import sys
from pathlib import Path
from bytepair import Tokenizer, _checkpoint
_checkpoint.SECONDS = 0.0
corpus, folder = map(Path, sys.argv[1:])
print("begun", flush=True)
tokenizer = Tokenizer.train(sorted(corpus.iterdir()), 30_000, checkpoint=folder)
tokenizer.save(folder.with_suffix(".json"))
"""


def test_a_training_that_is_killed_anywhere_goes_on(tmp_path, rng):
    corpus, folder = tmp_path / "corpus", tmp_path / "checkpoint"
    corpus.mkdir()
    for index, text in enumerate(stdlib_texts()):
        (corpus / f"{index}.txt").write_text(text)
    expected = Tokenizer.train(sorted(corpus.iterdir()), 30_000)
    symbols = {token: index for index, token in enumerate(expected.token_bytes())}
    merges = b"".join(symbols[part].to_bytes(4, "little") for pair in expected.merges for part in pair)
    command = [sys.executable, "-c", CHILD, str(corpus), str(folder)]

    def seconds(kill_after: float | None = None) -> float:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout.readline() == "begun\n"
            started = time.monotonic()
            if kill_after is not None:
                time.sleep(kill_after)
                child.kill()
        assert child.returncode in (0, -signal.SIGKILL)
        return time.monotonic() - started

    whole = seconds()
    n_kept = []
    for _ in range(KILLS):
        # From where the last was killed, or anew where it was done before.
        if not n_kept or n_kept[-1] == len(expected.merges):
            for path in folder.iterdir():
                path.unlink()
        seconds(rng.random() * whole)
        if (folder / "training.json").exists():
            Counts.load(folder / "counts")
            json.loads((folder / "training.json").read_text())
        kept = b""
        if (folder / "merges").exists():
            data = (folder / "merges").read_bytes()
            assert data.startswith(_checkpoint._HEAD)
            kept = data[len(_checkpoint._HEAD) + 32 :]
        assert merges.startswith(kept)
        n_kept.append(len(kept) // 8)
    print(f"merges kept after each of {KILLS} kills, seed {SEED}: {n_kept}")
    assert seconds() > 0
    assert Tokenizer.load(folder.with_suffix(".json")) == expected
    assert sorted(path.name for path in folder.iterdir()) == ["counts", "merges", "training.json"]


def train_by_verb(arguments: list[str], max_file_bytes: int) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (max_file_bytes, max_file_bytes))

    command = [sys.executable, "-m", "bytepair", "train", *arguments]
    return subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, check=False)


def test_a_full_disk_is_an_error_that_leaves_the_old_checkpoint(tmp_path):
    corpus, folder = tmp_path / "corpus.txt", tmp_path / "checkpoint"
    corpus.write_text("".join(TEXTS))
    arguments = [str(corpus), "-o", str(tmp_path / "t.json"), "--checkpoint", str(folder)]
    failed = train_by_verb([*arguments, "-v", "300"], 1_000)
    assert failed.returncode == 1
    assert str(folder / "counts") in failed.stderr
    assert "Traceback" not in failed.stderr
    assert list(folder.iterdir()) == []
    assert train_by_verb([*arguments, "-v", "300"], resource.RLIM_INFINITY).returncode == 0
    before = {path: path.read_bytes() for path in folder.iterdir()}
    failed = train_by_verb([*arguments, "-v", "5000"], 1_000)
    assert failed.returncode == 1
    assert str(folder / "merges") in failed.stderr
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert train_by_verb([*arguments, "-v", "5000"], resource.RLIM_INFINITY).returncode == 0
    assert Tokenizer.load(tmp_path / "t.json") == Tokenizer.train(corpus, 5_000)


def test_the_verb_says_where_to_go_on(tmp_path):
    corpus, folder = tmp_path / "corpus.txt", tmp_path / "checkpoint"
    corpus.write_text("".join(stdlib_texts()))
    command = [sys.executable, "-m", "bytepair", "train", str(corpus), "-o", str(tmp_path / "t.json"), "-v", "20000"]
    child = subprocess.Popen([*command, "--checkpoint", str(folder)], stderr=subprocess.PIPE, text=True)
    while not (folder / "training.json").exists():
        time.sleep(0.005)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate()
    assert child.returncode == 130
    assert f"the same command goes on from {folder}" in said
    assert subprocess.run([*command, "--checkpoint", str(folder)], capture_output=True, check=False).returncode == 0
    assert Tokenizer.load(tmp_path / "t.json") == Tokenizer.train(corpus, 20_000)

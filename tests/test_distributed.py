"""What is done for one shard, without a cluster: counted, added up, encoded, done again, killed."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bytepair import Counts, Files, FormatError, Tokenizer, TrainingError
from bytepair.distributed import count_shard, encode_shard, merge_counts, train
from common import builtin, stdlib_texts, trained


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("shards")
    paths = []
    for number in range(6):
        paths.append(folder / f"{number}.jsonl")
        paths[-1].write_text("".join(json.dumps({"text": text}) + "\n" for text in stdlib_texts()[number::6]))
    paths.append(folder / "again.jsonl")
    paths[-1].write_bytes(paths[0].read_bytes())
    paths.append(folder / "text.txt")
    paths[-1].write_text(stdlib_texts()[0])
    return paths


def test_the_sum_of_shards_is_the_whole(shards, tmp_path, rng):
    parts = []
    for shard in rng.sample(shards, len(shards)):
        parts.append(tmp_path / f"{shard.name}.bpc")
        count_shard(shard, parts[-1])
        once = parts[-1].read_bytes()
        # A scheduler may do a task again.
        count_shard(str(shard), parts[-1], num_threads=1, memory_limit=50_000)
        assert parts[-1].read_bytes() == once
    merge_counts(parts[:3], tmp_path / "some")
    merge_counts([*parts[3:], tmp_path / "some"], tmp_path / "all")
    tokenizer = Tokenizer.train(Counts.load(tmp_path / "all"), 1_000)
    assert tokenizer == Tokenizer.train(shards, 1_000)
    with pytest.raises(TrainingError, match=parts[0].stem):
        merge_counts([tmp_path / "all", parts[0]], tmp_path / "twice")
    assert not (tmp_path / "twice").exists()


@pytest.mark.parametrize("suffix", [".npy", ".bin"])
def test_token_files(suffix, shards, tmp_path):
    for tokenizer, separator, dtype in [
        (builtin("gpt2"), "<|endoftext|>", "uint16"),
        (builtin("cl100k_base"), "<|endoftext|>", "uint32"),
        (trained(), "<|pad|>", "uint16"),
        (trained(), None, "uint32"),
    ]:
        out = tmp_path / f"tokens{suffix}"
        encoded = encode_shard(shards[1], out, tokenizer, separator=separator, dtype=dtype, num_threads=2)
        ids = np.load(out) if suffix == ".npy" else np.fromfile(out, dtype=np.dtype(dtype).newbyteorder("<"))
        end = [] if separator is None else [tokenizer.special_tokens[separator]]
        expected = [token for text in Files(shards[1]) for token in [*tokenizer.encode(text), *end]]
        assert ids.tolist() == expected
        assert ids.dtype == np.dtype(dtype)
        assert encoded == encode_shard(shards[1], out, tokenizer, separator=separator, dtype=dtype)
        texts = list(Files(shards[1]))
        assert encoded.source == str(shards[1])
        assert (encoded.path, encoded.n_tokens) == (str(out), len(expected))
        assert (encoded.n_documents, encoded.n_bytes) == (len(texts), sum(map(len, texts)))
        assert encoded.sha256 == hashlib.sha256(out.read_bytes()).hexdigest()


def test_text_never_makes_the_separator(tmp_path):
    (tmp_path / "a.txt").write_text("low<|endoftext|>low")
    assert encode_shard(tmp_path / "a.txt", tmp_path / "a.npy", builtin("gpt2")).n_tokens == 10
    assert np.load(tmp_path / "a.npy").tolist().count(50256) == 1


def test_what_fails_leaves_the_old_file(shards, tmp_path):
    encode_shard(shards[0], tmp_path / "a.npy", builtin("gpt2"))
    count_shard(shards[0], tmp_path / "a.bpc")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    bad = tmp_path.parent / f"{tmp_path.name}.jsonl"
    bad.write_bytes(shards[1].read_bytes() * 20 + b"{")
    for call in (
        lambda: encode_shard(bad, tmp_path / "a.npy", builtin("gpt2")),
        lambda: count_shard(bad, tmp_path / "a.bpc"),
    ):
        with pytest.raises(FormatError, match=r"jsonl: line \d+, column 1: not JSON"):
            call()
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    with pytest.warns(UserWarning, match="1 row was left out"):
        assert encode_shard(Files(bad, on_error="skip"), tmp_path / "b.npy", builtin("gpt2")).n_skipped == 1
    with pytest.warns(UserWarning, match="1 row was left out"):
        count_shard(Files(bad, on_error="skip"), tmp_path / "b.bpc")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"separator": "<eos>"},
            r"'<eos>' is no special token of this tokenizer, which has <\|endoftext\|>; or pass None",
        ),
        ({"dtype": "uint8"}, "dtype must be 'uint16' or 'uint32', not 'uint8'"),
        ({"out": "a.txt"}, r"a file of token ids ends in \.npy or \.bin, not in '\.txt'"),
        ({"tokenizer": "cl100k_base", "dtype": "uint16"}, "uint16 does not hold the 100277 ids of this tokenizer"),
    ],
)
def test_arguments_are_refused(options, message, shards, tmp_path):
    out, tokenizer = options.pop("out", "a.npy"), builtin(options.pop("tokenizer", "gpt2"))
    with pytest.raises(ValueError, match=message):
        encode_shard(shards[0], tmp_path / out, tokenizer, **options)
    assert list(tmp_path.iterdir()) == []


def test_ray_is_named_where_it_is_missing(shards, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"pip install 'bytepair\[ray\]'"):
        train(shards)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"vocab_size": 256}, TrainingError, "vocab_size=256 is too small"),
        ({"vocab_size": 2**25}, TrainingError, r"has at most 2\*\*24 tokens"),
        ({"vocab_size": "300"}, TypeError, "vocab_size must be an int, not str"),
        ({"tie": "first"}, ValueError, 'tie must be .* not "first"'),
        ({"max_token_length": 0}, TrainingError, "a token has a byte at least"),
        ({"min_frequency": -1}, OverflowError, "negative"),
    ],
)
def test_arguments_of_training_are_checked_before_anything_is_counted(options, error, message, shards, monkeypatch):
    begun = SimpleNamespace(remote=lambda _: pytest.fail("a task was made"))
    monkeypatch.setitem(sys.modules, "ray", begun)
    with pytest.raises(error, match=message):
        train(shards, **options)


def test_a_shard_spelled_in_two_ways_is_there_twice(shards, monkeypatch):
    folder = shards[0].parent
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(remote=lambda _: pytest.fail("a task was made")))
    monkeypatch.chdir(folder)
    for other in ("0.jsonl", "./0.jsonl", f"{folder}/../{folder.name}/0.jsonl"):
        with pytest.raises(TrainingError, match=r"the shard .*0\.jsonl is there twice"):
            train([shards[0], shards[1], Path(other)])


COUNT = "import sys; from bytepair.distributed import count_shard; count_shard(*sys.argv[1:], num_threads=1)"


def test_a_process_killed_while_it_counts_leaves_nothing_but_a_part(tmp_path):
    rng = random.Random(3)
    rows = [json.dumps({"text": str(rng.random())}) for _ in range(20_000)]
    (tmp_path / "a.jsonl").write_text("\n".join(rows * 20))
    out = tmp_path / "a.bpc"
    for seconds in (0.1, 0.2, 0.4):
        process = subprocess.Popen([sys.executable, "-c", COUNT, tmp_path / "a.jsonl", out])
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            assert not out.exists()
        out.unlink(missing_ok=True)
    subprocess.run([sys.executable, "-c", COUNT, tmp_path / "a.jsonl", out], check=True)
    counts = Counts()
    counts.update(tmp_path / "a.jsonl", shard=os.fspath(tmp_path / "a.jsonl"))
    assert Counts.load(out) == counts


GUIDE = Path(__file__).parent.parent / "docs" / "training-on-many-machines.md"


def test_the_scripts_of_the_guide(shards, tmp_path):
    array, last = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    (tmp_path / "shards").mkdir()
    copies = [tmp_path / "shards" / shard.name for shard in shards[:4]]
    for shard, copy in zip(shards, copies, strict=False):
        copy.write_bytes(shard.read_bytes())
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for number in [*range(4), 2]:
        environment["SLURM_ARRAY_TASK_ID"] = str(number)
        subprocess.run(["sh", "-c", array], cwd=tmp_path, env=environment, check=True)
    subprocess.run(["sh", "-c", last], cwd=tmp_path, env=environment, check=True)
    assert Tokenizer.load(tmp_path / "tokenizer.json") == Tokenizer.train(copies, 1_000)

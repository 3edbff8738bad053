"""Two workers of a local Ray cluster make what one process makes, also when one of them is killed at its work."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import ray

from bytepair import Files, FormatError, Tokenizer, TrainingError
from bytepair.distributed import encode, encode_shard, train
from common import SEED, mixed_text, stdlib_texts

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def cluster():
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=200 * 2**20)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("shards")
    rng = random.Random(SEED)
    texts = [*stdlib_texts(), *(mixed_text(rng) for _ in range(500))]
    paths = []
    for number in range(20):
        paths.append(folder / f"{number}.jsonl")
        paths[-1].write_text("".join(json.dumps({"text": text}) + "\n" for text in texts[number::20]))
    # The same content twice is no mistake: one process would count it twice, too.
    paths.append(folder / "again.jsonl")
    paths[-1].write_bytes(paths[0].read_bytes())
    paths.append(folder / "text.txt")
    paths[-1].write_text(stdlib_texts()[0])
    return paths


def test_the_merges_are_those_of_one_process(cluster, shards):
    calls: list[tuple] = []
    tokenizer = train(
        shards,
        2_000,
        special_tokens=["<|endoftext|>"],
        memory_limit=200_000,
        progress=lambda *call: calls.append(call),
    )
    expected = Tokenizer.train(shards, 2_000, special_tokens=["<|endoftext|>"])
    assert tokenizer == expected
    assert tokenizer.training_report == expected.training_report
    n_shards = len(shards)
    assert [call for call in calls if call[0] == "counting"] == [
        ("counting", number, n_shards) for number in range(1, n_shards + 1)
    ]
    assert any(stage == "merging" for stage, _, _ in calls)
    assert train(Files(shards[:1]), 500, tie="id", pattern="cl100k", special_tokens=()) == Tokenizer.train(
        shards[:1], 500, tie="id", pattern="cl100k", special_tokens=()
    )


def test_token_files_are_those_of_one_process(cluster, shards, tmp_path):
    gpt2 = Tokenizer.from_pretrained("gpt2")
    calls: list[tuple] = []
    rows = encode(shards, tmp_path / "tokens", gpt2, progress=lambda *call: calls.append(call))
    assert [Path(row.path).name for row in rows] == [f"{number:05}.npy" for number in range(len(shards))]
    for shard, row in zip(shards, rows, strict=True):
        here = encode_shard(shard, tmp_path / "here.npy", gpt2)
        assert here == row._replace(path=here.path)
        assert Path(row.path).read_bytes() == (tmp_path / "here.npy").read_bytes()
    ids = np.concatenate([np.load(row.path) for row in rows])
    expected = [[*gpt2.encode(text), 50256] for text in Files(shards)]
    assert ids.tolist() == [token for document in expected for token in document]
    manifest = json.loads((tmp_path / "tokens" / "manifest.json").read_text())
    assert (manifest["n_tokens"], manifest["n_documents"]) == (len(ids), len(expected))
    assert (manifest["tokenizer"], manifest["dtype"], manifest["vocab_size"]) == (gpt2.fingerprint, "uint16", 50257)
    assert [row["path"] for row in manifest["shards"]] == [Path(row.path).name for row in rows]
    assert calls == [("encoding", number, len(shards)) for number in range(1, len(shards) + 1)]


class Killer:
    """Kills the first worker that is seen at a task of this name."""

    def __init__(self, name: str) -> None:
        self.killed: list[int] = []
        self._name = name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.is_set() and not self.killed:
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    # Ray gives a worker the name of its task, while it is at it.
                    title = (process / "cmdline").read_bytes()
                    if title.startswith(b"ray::" + self._name.encode()):
                        # In the middle of it, and not while it starts.
                        time.sleep(0.1)
                        if (process / "cmdline").read_bytes() == title:
                            os.kill(int(process.name), signal.SIGKILL)
                            self.killed.append(int(process.name))
                            return
            time.sleep(0.02)

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture(scope="module")
def large_shards(tmp_path_factory) -> list[Path]:
    """Shards that take a worker a few seconds each."""
    folder = tmp_path_factory.mktemp("large")
    rng = random.Random(SEED)
    paths = []
    for number in range(4):
        words = [str(rng.randrange(10**6)) for _ in range(200_000)]
        rows = "".join(json.dumps({"text": " ".join(words[at : at + 100])}) + "\n" for at in range(0, len(words), 100))
        paths.append(folder / f"{number}.jsonl")
        paths[-1].write_text(rows * 20)
    return paths


def test_a_worker_killed_while_it_counts_changes_nothing(cluster, large_shards):
    with Killer("count ") as killer:
        tokenizer = train(large_shards, 300)
    print("killed", killer.killed)
    assert len(killer.killed) == 1
    expected = Tokenizer.train(large_shards, 300)
    assert tokenizer == expected
    assert tokenizer.training_report == expected.training_report


def test_a_worker_killed_while_it_encodes_changes_nothing(cluster, large_shards, tmp_path):
    gpt2 = Tokenizer.from_pretrained("gpt2")
    with Killer("encode ") as killer:
        rows = encode(large_shards[:2], tmp_path / "tokens", gpt2)
    assert len(killer.killed) == 1
    for shard, row in zip(large_shards, rows, strict=False):
        here = encode_shard(shard, tmp_path / "here.npy", gpt2)
        assert (here.sha256, here.n_tokens) == (row.sha256, row.n_tokens)
    # What the dead one had half written has another name, and no row in the manifest.
    assert sorted(path.name for path in (tmp_path / "tokens").glob("*.npy")) == [Path(row.path).name for row in rows]


def test_what_a_task_raises_is_raised_here(cluster, shards, tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"text": "low"}\n{"text": 5}\n')
    for call in (
        lambda: train([*shards, tmp_path / "bad.jsonl"], 300),
        lambda: encode([*shards, tmp_path / "bad.jsonl"], tmp_path / "tokens", Tokenizer.from_pretrained("gpt2")),
    ):
        with pytest.raises(FormatError, match=r"bad\.jsonl: line 2, column 10") as caught:
            call()
        assert type(caught.value) is FormatError
        assert caught.value.location == "line 2, column 10"
    assert not (tmp_path / "tokens" / "manifest.json").exists()
    with pytest.raises(FileNotFoundError, match="missing"):
        train([tmp_path / "missing.jsonl"], 300)


def test_rows_left_out_are_in_the_manifest(cluster, tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"text": "low"}\n{"text": 5}\n')
    files = Files([tmp_path / "bad.jsonl"], on_error="skip")
    (row,) = encode(files, tmp_path / "tokens", Tokenizer.from_pretrained("gpt2"))
    assert (row.n_documents, row.n_skipped) == (1, 1)
    with pytest.warns(UserWarning, match=r"1 row was left out, first .*bad\.jsonl: line 2") as warned:
        tokenizer = train(files, 258)
    assert warned[0].filename == __file__
    assert tokenizer == Tokenizer.train(["low"], 258)
    assert tokenizer.training_report.n_skipped == 1


def test_arguments_are_refused_before_any_task(tmp_path):
    (tmp_path / "a.txt").write_text("low")
    gpt2 = Tokenizer.from_pretrained("gpt2")
    with pytest.raises(TrainingError, match="there are no shards"):
        train([])
    with pytest.raises(TrainingError, match=r"the shard .*a\.txt is there twice"):
        train([tmp_path / "a.txt"] * 2)
    with pytest.raises(ValueError, match="'<eos>' is no special token of this tokenizer, which has"):
        encode([tmp_path / "a.txt"], tmp_path / "out", gpt2, separator="<eos>")
    with pytest.raises(ValueError, match="uint16 does not hold the 100277 ids"):
        encode([tmp_path / "a.txt"], tmp_path / "out", Tokenizer.from_pretrained("cl100k_base"), dtype="uint16")
    assert not (tmp_path / "out").exists()


def test_the_example_of_the_guide(cluster, shards, tmp_path, monkeypatch):
    guide = Path(__file__).parent.parent.parent / "docs" / "training-on-many-machines.md"
    code = re.search(r"```python\n(.*?)```", guide.read_text(), re.DOTALL).group(1)
    (tmp_path / "shards").mkdir()
    for shard in shards[:4]:
        (tmp_path / "shards" / shard.name).write_bytes(shard.read_bytes())
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert Tokenizer.load("tokenizer.json") == Tokenizer.train(shards[:4], 1_000)
    assert len(list(Path("tokens").glob("*.npy"))) == 4

"""A corpus of which memory holds but a part: the same counts and merges, and never more memory than was allowed.

`make test-counts` runs this; CORPORA names a folder of texts. Each run is a process of its own, whose largest
resident size the system tells. What every interpreter takes that has imported bytepair is not counted.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.environ.get("BYTEPAIR_COUNTS") != "full", reason="make test-counts runs this")

LIMIT = int(os.environ.get("BYTEPAIR_MEMORY_LIMIT", 128 * 2**20))
CORPORA = Path(os.environ.get("CORPORA", Path(__file__).parents[1] / ".." / "shared" / "corpora"))
# In all: more distinct pretokens than fit, and as much of each again.
N_WORDS = 8_000_000

RUN = """
import json, sys
from pathlib import Path
from bytepair import Counts, Tokenizer

def peak():
    status = Path("/proc/self/status").read_text().split("VmHWM:")[1]
    return int(status.split()[0]) * 1024

work, limit, num_threads, out, *paths = json.loads(sys.argv[1])
paths = [Path(path) for path in paths]
before, found = peak(), {}
if work == "count":
    counts = Counts(memory_limit=limit)
    counts.update(paths, num_threads=num_threads)
    counts.save(out)
    found["n_spills"] = counts.n_spills
elif work == "merge":
    Counts.merge_files(paths, out)
elif work == "load":
    counts = Counts.load(paths[0], memory_limit=limit)
    counts.save(out)
    found["n_spills"] = counts.n_spills
elif work == "train":
    tokenizer = Tokenizer.train(paths, 8_000, memory_limit=limit, num_threads=num_threads)
    found["fingerprint"] = tokenizer.fingerprint
print(json.dumps(found | {"peak": peak() - before}))
"""


def run(work: str, paths: list[Path], *, limit: int | None = LIMIT, num_threads: int = 2, out: Path | None = None):
    arguments = json.dumps([work, limit, num_threads, str(out), *map(str, paths)])
    command = [sys.executable, "-c", RUN, arguments]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    ratio = found["peak"] / (limit or LIMIT)
    print(f"{work}, {num_threads} threads, limit {limit and limit >> 20} MiB:", end=" ")
    print(f"{found['peak'] / 2**20:.0f} MiB, {ratio:.2f} of the limit; {found}")
    return found


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> list[Path]:
    """Texts of CORPORA, where there are any, and seven files of words that are drawn at random."""
    folder, rng = tmp_path_factory.mktemp("corpus"), random.Random(20261129)
    paths = sorted(CORPORA.glob("*.txt"))
    letters = "abcdefghijklmnop"
    for index in range(7):
        paths.append(folder / f"{index}.txt")
        with paths[-1].open("w") as file:
            for _ in range(N_WORDS // 7 // 1000):
                words = ("".join(rng.choices(letters, k=7)) for _ in range(1000))
                file.write(" ".join(words) + " ")
    print(f"{len(paths)} files, {sum(path.stat().st_size for path in paths) / 1e6:.0f} MB")
    return paths


def test_counting_and_adding_up(corpus, tmp_path):
    whole = tmp_path / "whole.bpc"
    assert run("count", corpus, limit=8 * 2**30, out=whole)["n_spills"] == 0
    for num_threads in (1, 2, 8):
        found = run("count", corpus, num_threads=num_threads, out=tmp_path / "some.bpc")
        assert 3 <= found["n_spills"] <= 30 * num_threads
        assert found["peak"] <= 1.2 * LIMIT
        assert (tmp_path / "some.bpc").read_bytes() == whole.read_bytes()
    parts = []
    for index in range(7):
        parts.append(tmp_path / f"{index}.bpc")
        run("count", corpus[index::7], out=parts[-1])
    random.Random(1).shuffle(parts)
    found = run("merge", parts, out=tmp_path / "all.bpc")
    assert found["peak"] <= 32 * 2**20, "a block of each file"
    assert (tmp_path / "all.bpc").read_bytes() == whole.read_bytes()
    found = run("load", [whole], out=tmp_path / "loaded.bpc")
    assert 1 <= found["n_spills"] <= 100
    assert found["peak"] <= 1.2 * LIMIT
    assert (tmp_path / "loaded.bpc").read_bytes() == whole.read_bytes()


def test_training(corpus, tmp_path):
    paths = corpus[:-4]
    run("count", paths, out=tmp_path / "counts.bpc")
    # The header of the file tells the bytes of the distinct pretokens.
    distinct_bytes = int.from_bytes((tmp_path / "counts.bpc").read_bytes()[45:53], "little")
    found = run("train", paths)
    print(
        f"{distinct_bytes:,} bytes of distinct pretokens; training takes {found['peak'] / distinct_bytes:.1f} for each"
    )
    assert found["peak"] <= 1.2 * LIMIT + 25 * distinct_bytes
    assert found["fingerprint"] == run("train", paths, limit=8 * 2**30)["fingerprint"]

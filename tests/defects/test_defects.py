"""A panic in the core is an `InternalError`, and what it met goes on: with the extension that `make defects` builds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SETUP = """
import bytepair
from bytepair import InternalError, Tokenizer, _core

gpt2 = Tokenizer.from_pretrained("gpt2")
texts = ["the quick brown fox " * 50_000, "中文" * 100_000] * 2
right = [gpt2.encode(text) for text in texts]

def all_right():
    return [gpt2.encode(text) for text in texts] == right

def panics(call, n=1):
    _core.panic_at(n)
    try:
        call()
    except InternalError as error:
        assert isinstance(error, RuntimeError), type(error).__mro__
        assert "a defect on purpose" in str(error), error
        return
    raise AssertionError("no panic")
"""
CASES = {
    "encode": "panics(lambda: gpt2.encode(texts[0])); assert all_right()",
    "encode, later": "panics(lambda: gpt2.encode(texts[0]), 3); assert all_right()",
    "a long pretoken": "panics(lambda: gpt2.encode('a' * 10**6)); assert all_right()",
    "count": "panics(lambda: gpt2.count(texts[0])); assert gpt2.count(texts[0]) == len(right[0])",
    "a batch in threads": """
for n in range(1, 9):
    panics(lambda: gpt2.encode_batch(texts * 4, num_threads=4), n)
    assert gpt2.encode_batch(texts, num_threads=4) == right
""",
    "an iterator": """
panics(lambda: list(gpt2.encode_iter(texts)))
assert list(gpt2.encode_iter(texts)) == right
""",
    "offsets": "panics(lambda: gpt2.encode_with_offsets(texts[0])); assert all_right()",
    "a stream": """
made = gpt2.encode_stream()
made.append("ab ")
panics(lambda: made.append(texts[0]))
made.append("cd")
assert made.ids() == gpt2.encode("ab cd")
""",
    "a stream, taken back": """
made = gpt2.encode_stream()
made.append("ab " + "a" * 10**6)
before = made.ids()
panics(lambda: made.rollback(1))
assert made.ids() == before
made.rollback(10**6)
assert made.ids() == gpt2.encode("ab ")
""",
    "split": "panics(lambda: gpt2.split(texts[0], 100)); assert gpt2.split(texts[0], 100)[0][0] == 0",
    "training": """
def train():
    return Tokenizer.train(texts, 300, pattern="gpt2")
merges = train().merges
panics(train)
assert train().merges == merges
""",
}


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """A folder with the package and the extension that can be made to panic."""
    folder = tmp_path_factory.mktemp("defects")
    shutil.copytree(ROOT / "python" / "bytepair", folder / "bytepair", ignore=shutil.ignore_patterns("_core.*.so"))
    shutil.copy(ROOT / "target" / "debug" / "lib_core.so", folder / "bytepair" / "_core.so")
    return folder


@pytest.mark.parametrize("name", CASES)
def test_a_panic_is_an_exception_and_what_it_met_goes_on(name, package):
    code = f"import sys; sys.path.insert(0, {str(package)!r})\n{SETUP}\n{CASES[name]}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]

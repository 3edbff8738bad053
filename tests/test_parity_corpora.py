"""Ids and merges are those of the peers on real corpora: the beginning of each, or all with BYTEPAIR_PARITY=full.

Each test prints a row: what was compared, on how much, and how many documents differ. Nothing here is a sample of a
result: a test fails if one id differs.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import tokenizers

from bytepair import Tokenizer, reference
from common import BUILTIN, builtin
from peers import (
    LLAMA3_PATTERN,
    QWEN2_PATTERN,
    assert_same_ids,
    assert_same_merges,
    hugging_face,
    hugging_face_ids,
    hugging_face_merges,
    rustbpe_merges,
    tiktoken_encoding,
    tiktoken_from_file,
)

FULL = os.environ.get("BYTEPAIR_PARITY") == "full"
SHARED = Path(__file__).parents[1] / ".." / "shared"
CORPORA = sorted((SHARED / "corpora").glob("*.txt"))
VOCABS = SHARED / "vocabs"
MB = 10**6

pytestmark = pytest.mark.skipif(not CORPORA, reason="there are no texts at ../shared/corpora/*.txt")
each_corpus = pytest.mark.parametrize("path", CORPORA or [None], ids=lambda path: path.stem if path else "none")

Encode = Callable[[Sequence[str]], list[list[int]]]


@functools.lru_cache(maxsize=1)
def documents(path: Path, n_bytes: int | None) -> list[str]:
    """The documents of a corpus, or of its first bytes."""
    with path.open("rb") as file:
        return file.read(-1 if n_bytes is None else n_bytes).decode(errors="ignore").split("<|endoftext|>")


def size(texts: Sequence[str]) -> int:
    return sum(len(text.encode()) for text in texts)


@pytest.fixture
def row(capsys):
    """Print a row past pytest's capture."""

    def show(*cells: object) -> None:
        with capsys.disabled():
            print("\n  " + "  ".join(map(str, cells)), end=" ")

    return show


# What is compared with what


def all_special(ours: Tokenizer) -> Encode:
    return lambda texts: ours.encode_batch(texts, allowed_special="all")


def by_tiktoken(name: str) -> tuple[Encode, Encode]:
    theirs = tiktoken_encoding(name)
    return builtin(name).encode_batch, lambda texts: theirs.encode_ordinary_batch(texts, num_threads=2)


def by_hugging_face() -> tuple[Encode, Encode]:
    return all_special(builtin("gpt2")), functools.partial(hugging_face_ids, hugging_face(builtin("gpt2")))


def json_file(path: Path) -> tuple[Encode, Encode]:
    theirs = tokenizers.Tokenizer.from_file(str(path))
    return all_special(Tokenizer.load(path)), functools.partial(hugging_face_ids, theirs)


def rank_file(path: Path, preset: str, pattern: str) -> tuple[Encode, Encode]:
    theirs = tiktoken_from_file(path, pattern)
    ours = Tokenizer.from_tiktoken(path, pattern=preset)
    return ours.encode_batch, lambda texts: theirs.encode_ordinary_batch(texts, num_threads=2)


# Name: a function that gives both ways to encode, its arguments, of which a path is a file that must exist.
COMPARISONS = {
    **{f"{name}, tiktoken": (by_tiktoken, name) for name in BUILTIN},
    "gpt2, tokenizers": (by_hugging_face,),
    "gpt2.tokenizer.json, tokenizers": (json_file, VOCABS / "gpt2.tokenizer.json"),
    "deepseek_v4.tokenizer.json, tokenizers": (json_file, VOCABS / "deepseek_v4.tokenizer.json"),
    "llama3.tiktoken, tiktoken": (rank_file, VOCABS / "llama3.tiktoken", "llama3", LLAMA3_PATTERN),
    "qwen2.tiktoken, tiktoken": (rank_file, VOCABS / "qwen2.tiktoken", "qwen2", QWEN2_PATTERN),
}


@functools.lru_cache(maxsize=1)
def both(comparison: str) -> tuple[Encode, Encode]:
    build, *arguments = COMPARISONS[comparison]
    for argument in arguments:
        if isinstance(argument, Path) and not argument.exists():
            pytest.skip(f"there is no {argument.name} at ../shared/vocabs")
    return build(*arguments)


@each_corpus
@pytest.mark.parametrize("comparison", COMPARISONS)
def test_ids(comparison, path, row):
    ours, theirs = both(comparison)
    texts = documents(path, None if FULL else MB)
    our_ids, their_ids = ours(texts), theirs(texts)
    n_different = sum(a != b for a, b in zip(our_ids, their_ids, strict=True))
    n_tokens = sum(map(len, their_ids))
    row(
        f"{comparison:38} {path.stem:8} {size(texts):11,} bytes {n_tokens:10,} tokens {len(texts):6,} documents",
        f"{n_different} differ",
    )
    assert_same_ids(texts, our_ids, their_ids)


def trained_merges(texts: Sequence[str], n_merges: int, tie: str) -> list[tuple[bytes, bytes]]:
    return Tokenizer.train(texts, 256 + n_merges, special_tokens=(), tie=tie).merges


# Tie: who else learns by it, from how many bytes and to what vocabulary in a full run, and in a short one.
TRAINERS = {
    "hf": (hugging_face_merges, (4 * MB, 8_000), (MB // 4, 2_000)),
    "id": (rustbpe_merges, (4 * MB, 8_000), (MB // 4, 2_000)),
    # CS336's rule has no fast implementation to compare with.
    "bytes": (functools.partial(reference.train, tie="bytes"), (40_000, 756), (10_000, 356)),
}


@each_corpus
@pytest.mark.parametrize("tie", TRAINERS)
def test_merges(tie, path, row):
    learn, in_full, in_short = TRAINERS[tie]
    n_bytes, vocab_size = in_full if FULL else in_short
    texts = documents(path, n_bytes)
    our_merges, their_merges = trained_merges(texts, vocab_size - 256, tie), learn(texts, vocab_size - 256)
    n_different = sum(a != b for a, b in zip(our_merges, their_merges, strict=False))
    peer = {"hf": "tokenizers", "id": "rustbpe", "bytes": "bytepair.reference"}[tie]
    row(
        f"merges, tie={tie!r}, {peer:20} {path.stem:8} {size(texts):11,} bytes {len(their_merges):6,} merges",
        f"{n_different} differ",
    )
    assert_same_merges(our_merges, their_merges)

"""Rank files that others trained, with tokens that no merges lead to and tokens that merge before their parts.

Ids are compared with tiktoken's, fed with the same ranks and pattern: a part of all texts, or all with
BYTEPAIR_PARITY=full. Each test prints a row: what was compared, on how much, and how many texts differ.
"""

from __future__ import annotations

import functools
import pickle
import random
from collections.abc import Iterator

import pytest
import tiktoken

import bytepair
from bytepair import Tokenizer
from common import SEED, mixed_text
from peers import LLAMA3_PATTERN, QWEN2_PATTERN, assert_same_ids, batches, tiktoken_from_file
from test_parity import CONTEXTS, assigned_characters
from test_parity_corpora import FULL, VOCABS

PATTERNS = {"llama3": LLAMA3_PATTERN, "qwen2": QWEN2_PATTERN}

pytestmark = pytest.mark.skipif(
    not all((VOCABS / f"{name}.tiktoken").exists() for name in PATTERNS),
    reason="there are no rank files at ../shared/vocabs",
)
each_file = pytest.mark.parametrize("name", PATTERNS)

# Of all texts, a short run takes one in so many.
STEP = 1 if FULL else 20


@functools.cache
def both(name: str) -> tuple[Tokenizer, tiktoken.Encoding]:
    path = VOCABS / f"{name}.tiktoken"
    return Tokenizer.from_tiktoken(path, pattern=name), tiktoken_from_file(path, PATTERNS[name])


@pytest.fixture
def compare(name, capsys):
    """Compare texts with tiktoken and print a row past pytest's capture."""

    def run(what: str, texts: list[str]) -> None:
        ours, theirs = both(name)
        n_different = 0
        for part in batches(texts, 50_000):
            our_ids, their_ids = ours.encode_batch(part), theirs.encode_ordinary_batch(list(part), num_threads=2)
            n_different += sum(a != b for a, b in zip(our_ids, their_ids, strict=True))
            assert_same_ids(part, our_ids, their_ids)
        with capsys.disabled():
            unicode = bytepair.UNICODE_VERSION
            print(f"\n  {name:8} {what:28} {len(texts):9,} texts  {n_different} differ  Unicode {unicode}", end=" ")

    return run


@each_file
def test_every_character(compare):
    texts = [context.format(character) for context in CONTEXTS for character in assigned_characters()[::STEP]]
    compare("characters in 4 contexts", texts)


@each_file
def test_mixed_scripts(compare, rng):
    compare("mixed scripts", [mixed_text(rng) for _ in range(200_000 // STEP)])


def decoded_bytes(rng: random.Random) -> Iterator[str]:
    """Random bytes as text: of all values, of those that UTF-8 is made of, and of few, so that they repeat."""
    while True:
        few = rng.choices(range(256), k=4)
        for values in (range(256), [*range(0x20, 0x7F), *range(0x80, 0xF5)], few):
            yield bytes(rng.choices(values, k=rng.randint(1, 60))).decode("utf-8", "replace")


@each_file
def test_random_bytes_decoded(compare, rng):
    texts = decoded_bytes(rng)
    compare("random bytes, decoded", [next(texts) for _ in range(200_000 // STEP)])


@each_file
def test_every_token_and_some_in_a_row(compare, name, rng):
    # Where whole pretokens are looked up decides, and where tokens are merged before their parts.
    tokens = [token for token in both(name)[0].token_bytes() if token is not None]
    texts = [token.decode("utf-8", "replace") for token in tokens[:: max(1, STEP // 4)]]
    rows = (b"".join(rng.choices(tokens, k=rng.randint(2, 5))) for _ in range(200_000 // STEP))
    compare("tokens, alone and in a row", [*texts, *(row.decode("utf-8", "replace") for row in rows)])


@each_file
def test_unreachable_tokens(compare, name):
    ours, _ = both(name)
    unreachable = [ours.id_to_bytes(token_id) for token_id in ours.unreachable_tokens]
    assert len(unreachable) == {"llama3": 588, "qwen2": 0}[name]
    texts = [token.decode("utf-8", "replace") for token in unreachable]
    compare("unreachable tokens", [form for text in texts for form in (text, f" {text}", f"{text}{text}", f"{text}\n")])


@each_file
def test_what_is_read_comes_back(name, tmp_path):
    ours, _ = both(name)
    assert pickle.loads(pickle.dumps(ours)) == ours
    ours.save(tmp_path / "ranks.tiktoken")
    assert (tmp_path / "ranks.tiktoken").read_bytes() == (VOCABS / f"{name}.tiktoken").read_bytes()
    ours.save(tmp_path / "tokenizer.json")
    again = Tokenizer.load(tmp_path / "tokenizer.json")
    assert again == ours
    rng = random.Random(SEED)
    texts = [mixed_text(rng) for _ in range(1_000)]
    assert again.encode_batch(texts) == ours.encode_batch(texts)

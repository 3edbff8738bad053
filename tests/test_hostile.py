"""Texts that slow others down, or bring them down: linear time, whatever comes."""

from __future__ import annotations

import random
import time

import hostile
import pytest

from bytepair import Tokenizer
from common import BUILTIN, SEED, builtin

pytestmark = pytest.mark.alone

MIB = 2**20
random_ = random.Random(SEED)

# 1 MiB each, of UTF-8: those of the benchmarks, and of the test that counts operations.
TEXTS = {family: hostile.text_of(family, MIB) for family in hostile.FAMILIES}


@pytest.mark.parametrize("name", BUILTIN)
def test_a_mebibyte_of_anything_takes_less_than_half_a_second(name):
    tokenizer = builtin(name)
    tokenizer.encode("x" * 100)
    worst = {}
    for what, text in TEXTS.items():
        started = time.perf_counter()
        ids = tokenizer.encode(text)
        worst[what] = time.perf_counter() - started
        assert tokenizer.decode(ids) == text
    what, seconds = max(worst.items(), key=lambda item: item[1])
    print(f"{name}: {what} takes {seconds * 1000:.0f} ms, the most of {len(worst)}")
    assert seconds < 0.5


@pytest.mark.parametrize("pattern", ["a*b|a", "(?:a|b)*c|a", r"\w+!|\w", r"(?s:.*)x|[a-z]"])
def test_a_pattern_that_backs_off_is_linear(pattern):
    tokenizer = Tokenizer(builtin("gpt2").vocab, builtin("gpt2").merges, pattern=pattern)
    started = time.perf_counter()
    assert tokenizer.decode(tokenizer.encode("a" * MIB)) == "a" * MIB
    assert time.perf_counter() - started < 2


def test_training_on_one_giant_pretoken():
    started = time.perf_counter()
    for text in ["a" * MIB, TEXTS["random letters"]]:
        tokenizer = Tokenizer.train(text, vocab_size=1_000)
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert time.perf_counter() - started < 10


def test_bytes_that_are_not_utf8():
    data = bytes(random_.randrange(256) for _ in range(MIB))
    for name in BUILTIN:
        started = time.perf_counter()
        ids = builtin(name).encode(data)
        assert time.perf_counter() - started < 1
        assert builtin(name).decode_bytes(ids) == data

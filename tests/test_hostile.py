"""Texts that slow others down, or bring them down: linear time, whatever comes."""

from __future__ import annotations

import random
import time

import pytest

from bytepair import Tokenizer
from common import BUILTIN, SEED, builtin

MIB = 2**20
random_ = random.Random(SEED)

# 1 MiB each, of UTF-8.
TEXTS = {
    **{f"{char!r} * n": char * (MIB // len(char.encode())) for char in "aAé中🦀 \t\n\r\0\u00a0\u3000'!1/-_x²"},
    "spaces then x": " " * (MIB - 1) + "x",
    "newlines and spaces": "\n " * (MIB // 2),
    "CR LF": "\r\n" * (MIB // 2),
    "ab": "ab" * (MIB // 2),
    "random letters": "".join(random_.choices("abcdefghijklmnopqrstuvwxyz", k=MIB)),
    "random upper and lower": "".join(random_.choices("aAbBzZ", k=MIB)),
    "random CJK": "".join(chr(random_.randrange(0x4E00, 0x9FFF)) for _ in range(MIB // 3)),
    "random digits": "".join(random_.choices("0123456789", k=MIB)),
    "apostrophes and s": "'s" * (MIB // 2),
    "combining marks": "a" + "\u0301" * (MIB // 2),
    "zero-width joiners": "👩\u200d" * (MIB // 7),
    "broken special tokens": "<|endoftext|" * (MIB // 12),
    "special tokens": "<|endoftext|>" * (MIB // 13),
}


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

"""Texts of what split rules, special tokens and UTF-8 tell apart; tokenizers for them; where their parts end."""

from __future__ import annotations

import functools
import random

from bytepair import Tokenizer
from common import BUILTIN, EXAMPLES, builtin, trained

PRESETS = [
    "gpt2", "gpt2_digits1", "gpt2_digits2", "gpt2_digits3", "cl100k", "cl100k_digits1", "cl100k_digits2",
    "cl100k_newlines_first", "llama3", "qwen2", "nanochat", "o200k", "o200k_digits1", "o200k_digits2", "deepseek_v3",
]  # fmt: skip
OTHERS = [r"\w+|\s+(?!\S)|\s", "a*b|a", "[0-9]+"]
SPECIALS = ["<|endoftext|>", "<a>", "<a><b>", "ab<"]

# What the split rules tell apart, what special tokens are made of, and what is not UTF-8.
PIECES = [
    "a", "b", "ab", "the", " the", "S", "'s", "'LL", "'", "ſ", "ABC", "Ab", "é", "中", "中文",
    "カ", "・", "。", "1", "1234", "½",
    " ", "  ", "\t", "\n", "\r\n", "\n\n", "\u00a0", "\u3000", "\u0301", "\u094d", ".", "...", "!", "/", "/\n", "(",
    "🦀", "👨‍👩‍👧", "\x01",
    "<a>", "<a", "<b>", ">", "<|endoftext|>", "<|end", "of", "text|>", "<",
]  # fmt: skip
BROKEN = [b"\x80", b"\xe4\xb8", b"\xad", b"\xf0\x9f", b"\xed\xa0\x80", b"\xed\xa0", b"\xff", "中".encode()[1:]]
NAMES = [*BUILTIN, *PRESETS, *OTHERS]
ALLOWED = [(), "all", ("<|endoftext|>",)]


def any_str(rng: random.Random) -> str:
    """A text of pieces, and now and then of any character."""
    pieces = rng.choices(PIECES, k=rng.randrange(15))
    return "".join(piece if rng.random() < 0.9 else any_character(rng) for piece in pieces)


def any_character(rng: random.Random) -> str:
    code = rng.choice([rng.randrange(0x80), rng.randrange(0x3000), rng.randrange(0x11_0000 - 0x800)])
    return chr(code if code < 0xD800 else code + 0x800)


def any_bytes(rng: random.Random) -> bytes:
    """A text that need not be UTF-8."""
    pieces = rng.choices(PIECES, k=rng.randrange(13))
    return b"".join(rng.choice(BROKEN) if rng.random() < 0.3 else piece.encode() for piece in pieces)


def any_text(rng: random.Random) -> str | bytes:
    return any_str(rng) if rng.random() < 0.6 else any_bytes(rng)


def any_name(rng: random.Random) -> str:
    return rng.choice(NAMES)


def any_allowed(rng: random.Random):
    return rng.choice(ALLOWED)


def examples(rng: random.Random, *makers, first=()):
    """The cases given, then as many as a run is to have; what fails shows its values."""
    yield from first
    for _ in range(EXAMPLES):
        yield tuple(make(rng) for make in makers)


@functools.cache
def tokenizer_named(name: str) -> Tokenizer:
    if name in BUILTIN:
        return builtin(name)
    return Tokenizer(trained().vocab, trained().merges, pattern=name, special_tokens=SPECIALS)


def as_bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def char_ends(data: bytes) -> list[int]:
    """Where each character ends; what is ill-formed counts as decoding replaces it."""
    ends, start = [], 0
    while start < len(data):
        for length in range(1, 5):
            try:
                data[start : start + length].decode()
            except UnicodeDecodeError as error:
                ill_formed = error.end
            else:
                break
        else:
            length = ill_formed
        start = min(start + length, len(data))
        ends.append(start)
    assert len(ends) == len(data.decode(errors="replace"))
    return ends


def char_of(ends: list[int], at: int) -> int:
    """The number of the character that holds the byte `at`."""
    return sum(end <= at for end in ends)


def any_ids(rng: random.Random) -> list[int]:
    return [rng.randrange(756) for _ in range(rng.randrange(21))]


def token_ends(tokenizer: Tokenizer, ids: list[int]) -> list[int]:
    ends, end = [], 0
    for token_id in ids:
        end += len(tokenizer.id_to_bytes(token_id))
        ends.append(end)
    return ends

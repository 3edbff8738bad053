"""What the tests share: texts and tokenizers."""

from __future__ import annotations

import functools
import importlib.util
import os
import random
import sysconfig
from pathlib import Path

import regex

import bytepair

EXAMPLES = int(os.environ.get("BYTEPAIR_EXAMPLES", "1000"))
SEED = int(os.environ.get("BYTEPAIR_SEED", "20261123"))
BUILTIN = ["gpt2", "p50k_base", "cl100k_base", "o200k_base"]


def inside(package: str, pattern: str) -> list[Path]:
    """Files of a package, which need not be importable: it may want more than its files."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    return sorted(path for folder in spec.submodule_search_locations for path in Path(folder).glob(pattern))


@functools.cache
def stdlib_texts() -> list[str]:
    """Some sources of the standard library: a real text that every machine has, about 2 MB."""
    folder = Path(sysconfig.get_path("stdlib"))
    paths = sorted(folder.glob("*.py")) + sorted(folder.glob("[a-e]*/*.py"))
    return [path.read_text(encoding="utf-8", errors="replace") for path in paths][:150]


@functools.cache
def trained() -> bytepair.Tokenizer:
    """A tokenizer trained here."""
    return bytepair.Tokenizer.train(stdlib_texts(), vocab_size=3000, special_tokens=["<|endoftext|>", "<|pad|>"])


@functools.cache
def builtin(name: str) -> bytepair.Tokenizer:
    """A vocabulary that comes with the package."""
    return bytepair.Tokenizer.from_pretrained(name)


SCRIPTS = [
    "abcdefghijklmnopqrstuvwxyz",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "0123456789٠١٢٣²½Ⅷ",
    " \t\n\r\u00a0\u2003\u3000\u0085\u2028",
    ".,;:!?'\"()[]{}<>/\\|@#$%^&*-_=+~`",
    "àéîõüßčćšđžſǅʰ",
    "АБВабвгдежз",
    "αβγδΩ",
    "مرحباالعالم",
    "שלוםעולם",
    "नमस्तेदुनिया",
    "สวัสดีชาวโลก",
    "你好世界中文字符",
    "こんにちはカタカナ",
    "안녕하세요",
    "👋🏽👨‍👩‍👧🇩🇪❤️",
    "\u0301\u0308\u200d\ufeff\u200b\u0000\u001c",
]


def mixed_text(rng: random.Random, max_runs: int = 30) -> str:
    """A text of runs from many scripts, with contractions and spaces between."""
    runs = []
    for _ in range(rng.randint(1, max_runs)):
        script = rng.choice(SCRIPTS)
        runs.append("".join(rng.choices(script, k=rng.randint(1, 6))))
        runs.append(rng.choice(["", " ", "", "'s", "'LL", "  ", "\n", "\r\n", "<|endoftext|>"]))
    return "".join(runs)


@functools.cache
def assigned_characters() -> list[str]:
    """Every character of Unicode 16: the pinned `regex` has its tables."""
    assigned = regex.compile(r"[^\p{Cn}\p{Cs}]")
    return [chr(point) for point in range(0x110000) if assigned.fullmatch(chr(point))]

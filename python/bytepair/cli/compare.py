"""Compare two tokenizers on texts: token counts, and the first place where their ids differ.

Exit codes: 0 where all ids are equal, 1 where some differ, 2 where an argument is wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from bytepair import BytepairError, _core
from bytepair.cli import _common

# How many tokens on either side of a difference are shown.
_CONTEXT = 3


class Subject(NamedTuple):
    """A tokenizer to compare: its size, the ids of a text, and the bytes of an id where they are known."""

    vocab_size: int
    encode: Callable[[bytes], Sequence[int]]
    token: Callable[[int], bytes]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    kinds = "a file, a folder, a built-in vocabulary, tiktoken:NAME, or tokenizers:FILE"
    parser.add_argument("a", metavar="A", help=kinds)
    parser.add_argument("b", metavar="B", help=kinds)
    _common.add_inputs(parser)


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    try:
        subjects = [load(options.a), load(options.b)]
        names = _common.expand(options.files)
    except (BytepairError, OSError, ValueError) as error:
        print(f"bytepair compare: {error}", file=sys.stderr)
        return 2
    sizes = [0 if name == _common.STDIN else os.path.getsize(name) for name in names]  # noqa: PTH202
    rows = []
    with _common.progress_bar() as progress:
        for (name, text), done in zip(_common.read_inputs(names), accumulate(sizes), strict=True):
            rows.append(_row(subjects, name, text))
            if progress is not None:
                progress("counting", done, sum(sizes))
    differ = any(row["first_mismatch"] for row in rows)
    if options.json:
        vocab_sizes = [subject.vocab_size for subject in subjects]
        _common.print_json({"equal": not differ, "vocab_sizes": vocab_sizes, "files": rows})
        return int(differ)
    for letter, name, subject in zip("AB", (options.a, options.b), subjects, strict=True):
        print(f"{letter}  {subject.vocab_size:9,} tokens  {name}")
    print(f"\n{'A':>12} {'B':>12} {'A/B':>7}  file")
    for row in rows:
        a, b = row["tokens"]
        print(
            f"{a:12,} {b:12,} {a / b if b else 1:7.4f}  {row['file']}{'' if row['first_mismatch'] is None else '  *'}"
        )
    if not differ:
        print("\nall ids are equal")
    for key, what in (("first_mismatch", "other id"), ("first_token_mismatch", "other token")):
        for row in [row for row in rows if row[key]][:1]:
            _show(what, row["file"], row[key])
    return int(differ)


def load(name: str) -> Subject:
    """Return the tokenizer that an argument names."""
    kind, _, rest = name.partition(":")
    if kind == "tiktoken" and rest:
        return _tiktoken(rest)
    if kind == "tokenizers" and rest:
        return _tokenizers(rest)
    tokenizer = _common.load_tokenizer(name)
    return Subject(tokenizer.vocab_size, tokenizer.encode, tokenizer.id_to_bytes)


def _tiktoken(name: str) -> Subject:
    try:
        import tiktoken
    except ImportError:
        raise _common.fail("tiktoken is not installed; pip install tiktoken") from None
    encoding = tiktoken.get_encoding(name)
    return Subject(
        encoding.n_vocab,
        lambda text: encoding.encode_ordinary(text.decode(errors="replace")),
        encoding.decode_single_token_bytes,
    )


def _tokenizers(path: str) -> Subject:
    try:
        import tokenizers
    except ImportError:
        raise _common.fail("tokenizers is not installed; pip install tokenizers") from None
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}")
    peer = tokenizers.Tokenizer.from_file(path)

    def encode(text: bytes) -> Sequence[int]:
        ids: Sequence[int] = peer.encode(text.decode(errors="replace"), add_special_tokens=False).ids
        return ids

    def token(token_id: int) -> bytes:
        text = str(peer.id_to_token(token_id))
        spelled = _core.unspell(text)
        return text.encode() if spelled is None else spelled

    return Subject(peer.get_vocab_size(), encode, token)


def _row(subjects: Sequence[Subject], name: str, text: bytes) -> dict[str, Any]:
    ids = [list(subject.encode(text)) for subject in subjects]
    row: dict[str, Any] = {"file": name, "bytes": len(text), "tokens": [len(own) for own in ids]}
    row |= {"first_mismatch": None, "first_token_mismatch": None}
    if ids[0] != ids[1]:
        row["first_mismatch"] = _place(subjects, text, ids, _first_difference(*ids))
        tokens = [[subject.token(token_id) for token_id in own] for subject, own in zip(subjects, ids, strict=True)]
        if tokens[0] != tokens[1]:
            row["first_token_mismatch"] = _place(subjects, text, ids, _first_difference(*tokens))
    return row


def _first_difference(a: Sequence[object], b: Sequence[object]) -> int:
    pairs = enumerate(zip(a, b, strict=False))
    return next((index for index, (x, y) in pairs if x != y), min(len(a), len(b)))


def _place(subjects: Sequence[Subject], text: bytes, ids: Sequence[list[int]], index: int) -> dict[str, Any]:
    """Return where in a text the token of this index is, and the tokens around it."""
    before = text[: len(b"".join(map(subjects[0].token, ids[0][:index])))]
    around = slice(max(index - _CONTEXT, 0), index + _CONTEXT)
    return {
        "token": index,
        "byte_offset": len(before),
        "char_offset": len(before.decode(errors="replace")),
        "line": before.count(b"\n") + 1,
        **{
            key: [[token_id, _common.show_bytes(subject.token(token_id))] for token_id in own[around]]
            for key, subject, own in zip("ab", subjects, ids, strict=True)
        },
    }


def _show(what: str, name: str, place: dict[str, Any]) -> None:
    where = f"line {place['line']}, byte {place['byte_offset']}, char {place['char_offset']}"
    print(f"\nfirst {what}: {name}\n  {where}")
    for key in "ab":
        print(f"  {key.upper()}  {' '.join(f'{shown}[{token_id}]' for token_id, shown in place[key])[:74]}")

"""Look inside a tokenizer: its figures and longest tokens, how one token is made, or how it does on files."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bytepair import Tokenizer
from bytepair.cli import _common

_LONGEST = 10

# Tokens that no merges lead to are named up to this many, but all of them for a program.
_UNREACHABLE = 10

Parts = Mapping[bytes, tuple[bytes, bytes]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("tokenizer", metavar="NAME|PATH", help="a file or folder, or a built-in vocabulary")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--token", metavar="TEXT", help="show how this token is made")
    which.add_argument("--id", type=int, metavar="ID", help="show how the token with this id is made")
    parser.add_argument("files", nargs="*", metavar="FILE", help="tell fertility and compression on files, globs or -")


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    tokenizer = _common.load_tokenizer(options.tokenizer)
    if options.token is None and options.id is None:
        if options.files:
            return _show_files(tokenizer, options.files, options.json)
        return _show_tokenizer(tokenizer, options.json)
    token = options.token.encode() if options.id is None else tokenizer.id_to_bytes(options.id)
    return _show_token(tokenizer, token, options.json)


def longest_tokens(tokenizer: Tokenizer, n: int) -> list[bytes]:
    """Return the longest ordinary tokens, the longest first."""
    special = {text.encode() for text in tokenizer.special_tokens}
    ordinary = [token for token in tokenizer.vocab.values() if token not in special]
    return sorted(ordinary, key=lambda token: (-len(token), token))[:n]


def _show_tokenizer(tokenizer: Tokenizer, as_json: bool) -> int:
    longest = longest_tokens(tokenizer, _LONGEST)
    unreachable = tokenizer.unreachable_tokens
    figures = {
        "name": tokenizer.name,
        "vocab_size": tokenizer.vocab_size,
        "merges": len(tokenizer.merges),
        "pattern": tokenizer.pattern,
        "special_tokens": tokenizer.special_tokens,
        "unreachable_tokens": [_common.show_bytes(tokenizer.id_to_bytes(token_id)) for token_id in unreachable],
        "fingerprint": tokenizer.fingerprint,
        "longest_tokens": [_common.show_bytes(token) for token in longest],
    }
    if as_json:
        _common.print_json(figures)
        return 0
    for name, value in figures.items():
        if name == "longest_tokens":
            print("longest tokens")
            for token in longest:
                print(f"  {len(token):4} bytes  {_common.show_bytes(token)[:60]}")
        elif name == "unreachable_tokens":
            print(f"{'unreachable tokens':19}{len(unreachable):,}")
            for token_id in unreachable[:_UNREACHABLE]:
                print(f"  {token_id:10,}  {_common.show_bytes(tokenizer.id_to_bytes(token_id))[:60]}")
        elif value is not None:
            print(f"{name.replace('_', ' '):19}{value if not isinstance(value, int) else format(value, ',')}")
    return 0


def _show_token(tokenizer: Tokenizer, token: bytes, as_json: bool) -> int:
    token_id = tokenizer.token_to_id(token)
    if token_id is None:
        ids = tokenizer.encode(token)
        pieces = " + ".join(_common.show_bytes(tokenizer.id_to_bytes(piece)) for piece in ids)
        raise _common.fail(f"{_common.show_bytes(token)!r} is not a token; it encodes to {pieces}")
    parts = {left + right: (left, right) for left, right in tokenizer.merges}
    if as_json:
        steps = [[_common.show_bytes(part) for part in parts[made]] for made in _derivation(parts, token)]
        reachable = token_id not in tokenizer.unreachable_tokens
        _common.print_json(
            {"id": token_id, "token": _common.show_bytes(token), "reachable": reachable, "merges": steps}
        )
        return 0
    print(f"id {token_id}: {_common.show_bytes(token)}  ({len(token)} bytes: {token.hex(' ')})")
    if token_id in tokenizer.unreachable_tokens:
        print("no merges lead to it: it is emitted only for a whole pretoken, if at all")
    for made in _derivation(parts, token):
        left, right = (_common.show_bytes(part) for part in parts[made])
        print(f"  {left} + {right} = {_common.show_bytes(made)}")
    if token in parts:
        print("as a tree")
        for line in _tree(parts, token):
            print(f"  {line}"[:80])
    return 0


def _derivation(parts: Parts, token: bytes) -> list[bytes]:
    """Return what is merged on the way to a token, itself last."""
    made: list[bytes] = []
    pending = [token]
    while pending:
        part = pending.pop()
        if part in parts and part not in made:
            made.append(part)
            pending.extend(parts[part])
    return made[::-1]


def _tree(parts: Parts, token: bytes) -> Iterator[str]:
    """Yield the lines of a token's derivation, each part under the token that it is merged to."""
    pending = [(token, "", "", "")]
    while pending:
        part, indent, branch, below = pending.pop()
        yield f"{indent}{branch}{_common.show_bytes(part)}"
        if part in parts:
            left, right = parts[part]
            pending += [(right, indent + below, "└ ", "  "), (left, indent + below, "├ ", "│ ")]


def _show_files(tokenizer: Tokenizer, files: Sequence[str], as_json: bool) -> int:
    rows: list[dict[str, Any]] = []
    for name, text in _common.read_inputs(files):
        n_words = len(text.decode(errors="replace").split())
        rows.append({"file": name, "bytes": len(text), "words": n_words, "tokens": tokenizer.count(text)})
    if len(rows) > 1:
        rows.append({"file": "total"} | {key: sum(row[key] for row in rows) for key in ("bytes", "words", "tokens")})
    for row in rows:
        row["bytes_per_token"] = row["bytes"] / row["tokens"] if row["tokens"] else None
        row["fertility"] = row["tokens"] / row["words"] if row["words"] else None
    if as_json:
        _common.print_json({"name": tokenizer.name, "files": rows})
        return 0
    print(f"{'tokens':>12} {'words':>12} {'tokens/word':>11} {'bytes/token':>11}")
    for row in rows:
        shown = ["-" if row[key] is None else f"{row[key]:.3f}" for key in ("fertility", "bytes_per_token")]
        print(f"{row['tokens']:12,} {row['words']:12,} {shown[0]:>11} {shown[1]:>11}  {row['file']}")
    return 0

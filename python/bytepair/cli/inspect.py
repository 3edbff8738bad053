"""Look inside a tokenizer: its figures, its longest tokens, or how one token is made."""

from __future__ import annotations

import argparse

from bytepair import Tokenizer
from bytepair.cli import _common

_LONGEST = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("tokenizer", metavar="NAME|PATH", help="a file or folder, or a built-in vocabulary")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--token", metavar="TEXT", help="show how this token is made")
    which.add_argument("--id", type=int, metavar="ID", help="show how the token with this id is made")


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    tokenizer = _common.load_tokenizer(options.tokenizer)
    if options.token is None and options.id is None:
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
        "unreachable_tokens": len(unreachable),
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
        _common.print_json({"id": token_id, "token": _common.show_bytes(token), "merges": steps})
        return 0
    print(f"id {token_id}: {_common.show_bytes(token)}  ({len(token)} bytes: {token.hex(' ')})")
    if token_id in tokenizer.unreachable_tokens:
        print("no merges lead to it: it is emitted only for a whole pretoken, if at all")
    for made in _derivation(parts, token):
        left, right = (_common.show_bytes(part) for part in parts[made])
        print(f"  {left} + {right} = {_common.show_bytes(made)}")
    return 0


def _derivation(parts: dict[bytes, tuple[bytes, bytes]], token: bytes) -> list[bytes]:
    """Return what is merged on the way to a token, itself last."""
    made: list[bytes] = []
    pending = [token]
    while pending:
        part = pending.pop()
        if part in parts and part not in made:
            made.append(part)
            pending.extend(parts[part])
    return made[::-1]

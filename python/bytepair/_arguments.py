"""Arguments of what builds a tokenizer: checked, and named where they are wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bytepair.errors import SpecialTokenError

__all__ = ["numbered", "pair", "refuse_bytes", "special_names", "token_bytes"]


def special_names(special_tokens: Iterable[str] | None, *, mapping: bool = False) -> list[str]:
    """Check names of special tokens: strings in an order that is theirs, none empty or there twice."""
    if special_tokens is None:
        return []
    if isinstance(special_tokens, str):
        raise TypeError(f"special_tokens must be an iterable of str; pass [{special_tokens!r}]")
    if isinstance(special_tokens, set | frozenset):
        raise TypeError("special_tokens is a set, but their order decides their ids; pass a list")
    if isinstance(special_tokens, Mapping) and not mapping:
        raise TypeError("special_tokens is a mapping, but their order decides their ids here; pass a list")
    names: dict[str, None] = {}
    for name in special_tokens:
        if not isinstance(name, str):
            raise TypeError(f"a special token must be a str, not {type(name).__name__}")
        if not name:
            raise SpecialTokenError("a special token is empty; it would match everywhere", name)
        if name in names:
            raise SpecialTokenError(f"special token {name!r} is given twice", name)
        names[name] = None
    return list(names)


def refuse_bytes(names: list[str], known: Mapping[bytes, int]) -> None:
    """Refuse special tokens of one byte: every byte is an ordinary token."""
    for name in names:
        token = name.encode()
        if len(token) == 1 and token in known:
            raise SpecialTokenError(f"special token {name!r} is also the ordinary token {known[token]}, a byte", name)


def numbered(
    special_tokens: Mapping[str, int | None] | Mapping[str, int] | Iterable[str] | None,
) -> list[tuple[str, int | None]]:
    names = special_names(special_tokens, mapping=True)
    if isinstance(special_tokens, Mapping):
        return [(name, special_tokens[name]) for name in names]
    return [(name, None) for name in names]


def pair(pair: object, index: int) -> tuple[bytes, bytes]:
    if isinstance(pair, str | bytes) or not isinstance(pair, Iterable) or len(parts := list(pair)) != 2:
        raise TypeError(f"merge {index} must be a pair of bytes, not {pair!r:.80}")
    left, right = parts
    return token_bytes(left, f"the left part of merge {index}"), token_bytes(right, f"the right part of merge {index}")


def token_bytes(token: object, what: str) -> bytes:
    if isinstance(token, bytes):
        return token
    if isinstance(token, bytearray | memoryview):
        return bytes(token)
    raise TypeError(f"{what} must be bytes, not {type(token).__name__}")

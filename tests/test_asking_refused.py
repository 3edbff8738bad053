"""Bad arguments to every way of asking: the type of the exception and what it says."""

from __future__ import annotations

import functools

import pytest

import bytepair
from bytepair import SpecialTokenError, TokenIdError
from common import builtin

gpt2 = functools.partial(builtin, "gpt2")
BAD = {
    "unit": (
        lambda: gpt2().encode_with_offsets("a", unit="word"),
        ValueError,
        "unit must be 'char' or 'byte', not \"word\"",
    ),
    "offsets of an int": (lambda: gpt2().encode_with_offsets(1), TypeError, "text must be str or bytes, not int"),
    "offsets of a special": (
        lambda: gpt2().encode_with_offsets("a<|endoftext|>", disallowed_special="all"),
        SpecialTokenError,
        "at byte offset 1",
    ),
    "a segment that is a text": (
        lambda: gpt2().encode_segments([("a", True), "b"]),
        TypeError,
        "a segment must be a pair of a text and a bool, not str (at index 1)",
    ),
    "a segment of ints": (lambda: gpt2().encode_segments([(1, True)]), TypeError, "not int (at index 0)"),
    "trust that is no bool": (lambda: gpt2().encode_segments([("a", 1)]), TypeError, "not tuple (at index 0)"),
    "segments of nothing": (lambda: gpt2().encode_segments(3), TypeError, "not iterable"),
    "a special in an untrusted segment": (
        lambda: gpt2().encode_segments([("<|endoftext|>", True), ("<|endoftext|>", False)], disallowed_special="all"),
        SpecialTokenError,
        "(at index 1)",
    ),
    "an unknown special": (
        lambda: gpt2().encode_segments([], disallowed_special=["<x>"]),
        SpecialTokenError,
        "not a special token",
    ),
    "a surrogate in a segment": (
        lambda: gpt2().encode_segments([("\ud800", True)]),
        UnicodeEncodeError,
        "(at index 0)",
    ),
    "decoded offsets that are dropped": (lambda: gpt2().decode_with_offsets([1], "ignore"), ValueError, "'strict' or"),
    "decoded offsets of no token": (lambda: gpt2().decode_with_offsets([-1]), TokenIdError, "negative"),
    "side": (lambda: gpt2().truncate("a", 1, side="up"), ValueError, "side must be 'right' or 'left', not \"up\""),
    "fewer than no tokens": (lambda: gpt2().truncate("a", -1), OverflowError, "negative"),
    "no tokens": (lambda: gpt2().split("abc", 0), ValueError, "the character at index 0 alone has more than 0 tokens"),
    "too large an overlap": (
        lambda: gpt2().split("a", 2, overlap=2),
        ValueError,
        "overlap=2 must be less than max_tokens=2",
    ),
    "an iterator over a text": (lambda: gpt2().encode_iter("abc"), TypeError, "pass [text]"),
    "an iterator over an int": (lambda: gpt2().encode_iter(3), TypeError, "not iterable"),
    "an iterator in no threads": (lambda: gpt2().encode_iter([], num_threads=0), ValueError, "at least 1"),
    "an iterator with an unknown special": (
        lambda: gpt2().encode_iter([], allowed_special=["<x>"]),
        SpecialTokenError,
        "not a special token",
    ),
    "push of a float": (lambda: gpt2().decode_stream().push([1.0]), TypeError, "index 0 is a float"),
    "push of a bool": (lambda: gpt2().decode_stream().push([True]), TypeError, "is a bool"),
    "push of one bool": (lambda: gpt2().decode_stream().push(True), TypeError, "bool"),
    "push of a text": (lambda: gpt2().decode_stream().push("a"), TypeError, "not str"),
    "push of a negative id": (
        lambda: gpt2().decode_stream().push(-1),
        TokenIdError,
        "token id -1 at index 0 is negative",
    ),
    "append of an int": (lambda: gpt2().encode_stream().append(1), TypeError, "not int"),
    "append of a surrogate": (lambda: gpt2().encode_stream().append("\ud800"), UnicodeEncodeError, "surrogates"),
    "rollback of nothing": (lambda: gpt2().encode_stream().rollback(1), ValueError, "the text so far has 0"),
    "rollback by less": (lambda: gpt2().encode_stream().rollback(-1), OverflowError, "negative"),
    "a stream with an unknown special": (
        lambda: gpt2().encode_stream(allowed_special=["<x>"]),
        SpecialTokenError,
        "not a special token",
    ),
    "a stream with unknown errors": (
        lambda: gpt2().encode_stream(errors="ignore"),
        ValueError,
        "'strict' or 'replace'",
    ),
    "a new stream": (lambda: type(gpt2().encode_stream())(), TypeError, "EncodeStream"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_say_what_is_wrong(name):
    call, error, message = BAD[name]
    with pytest.raises(error) as raised:
        call()
    notes = "".join(f" ({note})" for note in getattr(raised.value, "__notes__", []))
    assert message in f"{raised.value}{notes}"


def test_the_streams_say_what_they_do():
    for kind in (type(gpt2().encode_stream()), type(gpt2().decode_stream()), type(gpt2().encode_iter([]))):
        assert kind.__doc__
        assert kind.__module__ == "bytepair._core"
    assert bytepair._core.EncodeStream is type(gpt2().encode_stream())

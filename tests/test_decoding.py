"""Decoding, from whatever holds the ids, gives the bytes of the tokens one after the other."""

from __future__ import annotations

import random
import sys
from array import array

import numpy as np
import pytest

import bytepair
from bytepair.errors import TokenIdError
from common import BUILTIN, SEED, builtin, trained

# Lists of up to 64 ids, and of more than 2**17, are read in other ways than those between.
LENGTHS = [0, 1, 2, 17, 63, 64, 65, 66, 1000, 2**17, 2**17 + 1, 300_000]
DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "uint64"]


@pytest.mark.parametrize("name", [*BUILTIN, "trained"])
def test_decoding_joins_tokens(name: str):
    tokenizer = trained() if name == "trained" else builtin(name)
    tokens = {token_id: token for token_id, token in enumerate(tokenizer.token_bytes()) if token is not None}
    assigned = list(tokens)
    rng = random.Random(SEED)
    for length in LENGTHS:
        ids = rng.choices(assigned, k=length)
        expected = b"".join(tokens[token_id] for token_id in ids)
        assert tokenizer.decode_bytes(ids) == expected
        assert tokenizer.decode_bytes(tuple(ids)) == expected
        assert tokenizer.decode(ids) == expected.decode(errors="replace")
        for dtype in DTYPES:
            small = [token_id for token_id in ids if token_id <= np.iinfo(dtype).max]
            given = np.array(small, dtype)
            expected = b"".join(tokens[token_id] for token_id in small)
            assert tokenizer.decode_bytes(given) == expected
            assert tokenizer.decode_bytes(np.repeat(given, 3)[::3]) == expected


@pytest.mark.parametrize(
    "widest", ["\x7f", "\x80", "\xff", "\u0100", "\u07ff", "\u0800", "\uffff", "\U00010000", "\U0010ffff"]
)
@pytest.mark.parametrize("length", [1, 20, 63, 64, 65, 1024, 5000])
def test_decoded_text_is_held_as_python_holds_it(widest: str, length: int):
    """Equal texts must be alike inside too: Python compares their memory."""
    tokenizer = builtin("gpt2")
    rng = random.Random(SEED)
    narrower = [char for char in "ab \nÅéÿĀжאऄ中\ud7ff\ue000＊🦀" if char <= widest]
    for place in {0, length // 2, length - 1}:
        chars = rng.choices(narrower, k=length)
        chars[place] = widest
        text = "".join(chars)
        decoded = tokenizer.decode(tokenizer.encode_to_numpy(text))
        assert decoded == text
        assert (hash(decoded), sys.getsizeof(decoded)) == (hash(text), sys.getsizeof(text))
        assert {text: 1}[decoded] == 1
        assert decoded.encode() == text.encode()


BAD = {
    "True": (True, TypeError, "the id at index {} is a bool, not an int"),
    "False": (False, TypeError, "the id at index {} is a bool, not an int"),
    "float": (1.0, TypeError, "the id at index {} is a float, not an int"),
    "None": (None, TypeError, "the id at index {} is a NoneType, not an int"),
    "str": ("1", TypeError, "the id at index {} is a str, not an int"),
    "negative": (-1, TokenIdError, "token id -1 at index {} is negative"),
    "beyond the vocabulary": (50257, TokenIdError, "token id 50257 at index {}"),
    "32 bits": (2**32 - 1, TokenIdError, "token id 4294967295 at index {}"),
    "beyond 32 bits": (2**32, TokenIdError, "token id 4294967296 at index {}"),
    "beyond 64 bits": (-(10**30), TokenIdError, "at index {}"),
    "a scalar that is negative": (np.int64(-5), TokenIdError, "token id -5 at index {}"),
}


@pytest.mark.parametrize("form", [list, tuple, iter])
@pytest.mark.parametrize("length", [1, 64, 65, 1000, 140_000])
@pytest.mark.parametrize("name", BAD)
def test_a_bad_id_is_named_with_its_index(name: str, length: int, form: type):
    bad, error, message = BAD[name]
    for index in {0, length // 2, length - 1}:
        ids: list[object] = [0, 1, 2, 3] * (length // 4 + 1)
        ids[index:] = [bad] * (length - index)
        with pytest.raises(error, match=message.format(index)):
            builtin("gpt2").decode(form(ids))


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint64"])
def test_a_number_of_an_array_that_is_no_id_is_named(dtype: str):
    bad = np.iinfo(dtype).max if dtype == "uint64" else np.iinfo(dtype).min
    ids = np.array([0, 1, bad, 2, bad], dtype)
    with pytest.raises(TokenIdError, match=f"token id {bad} at index 2"):
        builtin("gpt2").decode(ids)


@pytest.mark.parametrize("code", "bBhHiIlLqQ")
def test_an_array_of_pythons(code: str):
    for ids in ([], [5, 7], [5] * 100):
        assert builtin("gpt2").decode(array(code, ids)) == builtin("gpt2").decode(ids)
    for refused in (array("d"), np.zeros(0, [("field", "i4")])):
        with pytest.raises(TypeError, match="native integers"):
            builtin("gpt2").decode(refused)


def test_numbers_that_python_takes_for_ints():
    class Id:
        def __index__(self) -> int:
            return 995

    for length in (1, 100, 140_000):
        assert builtin("gpt2").decode([Id()] * length) == " world" * length
        assert builtin("gpt2").decode([np.uint16(995)] * length) == " world" * length


def test_a_list_that_changes_while_it_is_read():
    ids: list[object] = []

    class Shortens:
        def __index__(self) -> int:
            del ids[100:]
            return 995

    for length in (64, 200, 140_000):
        ids[:] = [Shortens()] * length
        assert set(builtin("gpt2").decode(ids).split()) == {"world"}


def test_what_an_item_raises_is_raised():
    class Interrupts:
        def __index__(self) -> int:
            raise KeyboardInterrupt

    for length in (1, 100):
        with pytest.raises(KeyboardInterrupt):
            builtin("gpt2").decode([Interrupts()] * length)


def test_a_list_of_another_kind_is_read_as_it_iterates():
    class Doubled(list):  # type: ignore[type-arg]
        def __iter__(self):  # type: ignore[no-untyped-def]
            for token_id in range(len(self)):
                yield from [self[token_id]] * 2

    assert builtin("gpt2").decode(Doubled([995])) == " world world"


def test_ids_decode_while_others_do():
    """A buffer that is lent goes to one call at a time, though reading its ids may call the tokenizer again."""
    tokenizer = bytepair.Tokenizer.from_pretrained("gpt2")

    class Nested:
        def __index__(self) -> int:
            assert tokenizer.decode([31373] * 70) == "hello" * 70
            return 995

    assert tokenizer.decode([Nested()] * 70) == " world" * 70

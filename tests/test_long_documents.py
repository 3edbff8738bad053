"""Long documents, which several threads encode in pieces: the ids are those of the whole."""

from __future__ import annotations

import itertools
import random

import pytest

from bytepair import SpecialTokenError
from common import builtin
from texts import NAMES, SPECIALS, any_bytes, tokenizer_named


def long_bytes(rng: random.Random, n_bytes: int) -> bytes:
    """Bytes of all sorts, some of them the same a thousand times over."""
    parts: list[bytes] = []
    while sum(map(len, parts)) < n_bytes:
        parts += [any_bytes(rng) for _ in range(1_000)]
        parts.append(any_bytes(rng) * 1_000)
    return b"".join(parts)


@pytest.mark.parametrize("name", NAMES)
def test_threads_and_pieces_change_no_id(name, rng):
    tokenizer = tokenizer_named(name)
    documents = [b"", long_bytes(rng, 900_000), b"short", long_bytes(rng, 400_000), b"a" * 600_000, b""]
    expected = [tokenizer.encode(document) for document in documents]
    for num_threads in (1, 2, 8):
        assert tokenizer.encode_batch(documents, num_threads=num_threads) == expected
        ids, offsets = tokenizer.encode_batch_to_numpy(documents, num_threads=num_threads)
        assert ids.tolist() == list(itertools.chain.from_iterable(expected))
        assert offsets.tolist() == [sum(map(len, expected[:n])) for n in range(len(expected) + 1)]
    expected = [tokenizer.encode(document, allowed_special="all") for document in documents]
    assert tokenizer.encode_batch(documents, num_threads=4, allowed_special="all") == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_str_has_the_ids_of_its_utf8(name, rng):
    tokenizer = tokenizer_named(name)
    mixed = long_bytes(rng, 400_000).decode(errors="ignore")
    latin = "".join(letter for letter in mixed if letter < "\u0100")
    plane = "".join(letter for letter in mixed if letter < "\U00010000")
    documents = [mixed, "é", latin * 3, "中", plane, "hello", latin[:1000]]
    expected = [tokenizer.encode(document.encode()) for document in documents]
    assert [tokenizer.encode(document) for document in documents] == expected
    for num_threads in (1, 2, 8):
        assert tokenizer.encode_batch(documents, num_threads=num_threads) == expected
    assert list(tokenizer.encode_iter(documents)) == expected
    assert [tokenizer.count(document) for document in documents] == list(map(len, expected))


def test_what_is_refused_is_named_by_its_place_in_the_whole():
    document = "some words 中文, " * 50_000
    for at in range(0, len(document), 97_531):
        # Wherever the pieces are cut, the token is seen.
        texts = [document, document[:at] + SPECIALS[0] + document[at:]]
        with pytest.raises(SpecialTokenError) as caught:
            builtin("gpt2").encode_batch(texts, num_threads=4, disallowed_special="all")
        with pytest.raises(SpecialTokenError) as alone:
            builtin("gpt2").encode(texts[1], disallowed_special="all")
        assert str(caught.value) == str(alone.value)
        assert "1" in caught.value.__notes__[0]

"""Ids to text as they come, a text that grows, texts that come one by one: as the whole gives them, at every step."""

from __future__ import annotations

import codecs
import random
from itertools import pairwise

import numpy as np
import pytest

from bytepair import SpecialTokenError, TokenIdError
from common import EXAMPLES, builtin, stdlib_texts, trained
from texts import (
    PRESETS,
    any_allowed,
    any_name,
    any_text,
    as_bytes,
    char_ends,
    examples,
    tokenizer_named,
)

# Decoding as ids come

ERRORS = ["replace", "strict", "ignore", "backslashreplace", "surrogateescape", "surrogatepass"]


def test_a_stream_decodes_as_the_whole_whatever_the_cuts(rng):
    for name, text in examples(rng, any_name, any_text):
        tokenizer = tokenizer_named(name)
        errors = rng.choice(ERRORS)
        # Bytes one by one, or tokens.
        ids = tokenizer.encode(text)
        if rng.random() < 0.5:
            ids = [tokenizer.token_to_id(bytes([byte])) for byte in as_bytes(text)]
        cuts = sorted(rng.randrange(len(ids) + 1) for _ in range(rng.randrange(9)))
        stream = tokenizer.decode_stream(errors)
        try:
            expected = tokenizer.decode(ids, errors)
        except UnicodeDecodeError:
            with pytest.raises(UnicodeDecodeError):
                _ = [stream.push(token_id) for token_id in ids] + [stream.flush()]
            continue
        parts = [stream.push(ids[start:end]) for start, end in pairwise([0, *cuts, len(ids)])] + [stream.flush()]
        assert "".join(parts) == expected
        decoder = codecs.getincrementaldecoder("utf-8")(errors)
        one_by_one = [stream.push(np.uint32(token_id)) for token_id in ids]
        assert one_by_one == [decoder.decode(tokenizer.id_to_bytes(token_id)) for token_id in ids]
        assert stream.flush() == decoder.decode(b"", final=True)


def test_a_failed_push_changes_nothing():
    gpt2 = builtin("gpt2")
    crab = gpt2.encode("🦀")
    stream = gpt2.decode_stream("strict")
    assert stream.push(crab[0]) == ""
    with pytest.raises(UnicodeDecodeError):
        stream.push(gpt2.encode("x"))
    with pytest.raises(TokenIdError, match="token id 60000 at index 1"):
        stream.push([crab[1], 60_000])
    assert stream.push(crab[1:]) == "🦀"
    stream.push(crab[0])
    with pytest.raises(UnicodeDecodeError):
        stream.flush()
    assert stream.flush() == ""


# Encoding a text that grows


def any_steps(rng: random.Random) -> list[str | bytes | int]:
    """Texts to append, and numbers of characters to take back."""
    return [rng.randrange(7) if rng.random() < 0.3 else any_text(rng) for _ in range(rng.randrange(9))]


def test_a_growing_text_has_the_ids_of_the_whole_after_every_step(rng):
    first = [
        ("gpt2", ["<|endof", "text|>", 3, "t|>"], "all"),
        ("o200k", ["中", "AB", "c", 1, "'", "s"], ()),
        ("cl100k", ["a  \n", "  ", "b", 2, "\n"], ()),
        ("llama3", ["12", "34", b"\xe4\xb8", b"\xad", 1, "x"], ()),
    ]
    for name, steps, allowed_special in examples(rng, any_name, any_steps, any_allowed, first=first):
        tokenizer = tokenizer_named(name)
        stream = tokenizer.encode_stream(allowed_special=allowed_special)
        text, stable = b"", []
        for step in steps:
            if isinstance(step, int):
                ends = [0, *char_ends(text)]
                if step >= len(ends):
                    with pytest.raises(ValueError, match=f"cannot take back {step} characters: the text so far has"):
                        stream.rollback(step)
                else:
                    text = text[: ends[-1 - step]]
                    stream.rollback(step)
            else:
                text += as_bytes(step)
                stream.append(step)
                assert stream.ids()[: len(stable)] == stable
            ids = stream.ids()
            assert ids == tokenizer.encode(text, allowed_special=allowed_special)
            stable = ids[: stream.n_stable]
            assert len(stream) == len(ids)
            assert stream.ids(len(stable)) == ids[len(stable) :]


def test_long_texts_grow_and_are_taken_back(rng):
    for _ in range(max(20, EXAMPLES // 50)):
        tokenizer = tokenizer_named(any_name(rng))
        allowed_special = any_allowed(rng)
        stream = tokenizer.encode_stream(allowed_special=allowed_special)
        text = b""
        for _ in range(20):
            if rng.random() < 0.4:
                ends = [0, *char_ends(text)]
                n = rng.randrange(min(len(ends), 400))
                text = text[: ends[-1 - n]]
                stream.rollback(n)
            else:
                more = b"".join(as_bytes(any_text(rng)) for _ in range(rng.randrange(40)))
                text += more
                stream.append(more)
            assert stream.ids() == tokenizer.encode(text, allowed_special=allowed_special)


@pytest.mark.parametrize("name", PRESETS)
def test_only_a_short_tail_of_ordinary_text_is_uncertain(name):
    tokenizer = tokenizer_named(name)
    text = "\n".join(stdlib_texts()[:9])[:60_000] + "Straße, naïve café. नमस्ते दुनिया। 中文，中文。" * 50
    stream = tokenizer.encode_stream()
    longest = 0
    for start in range(0, len(text), 7):
        stream.append(text[start : start + 7])
        longest = max(longest, len(stream) - stream.n_stable)
    assert stream.ids() == tokenizer.encode(text)
    # Banners such as ##### and indentation are the longest.
    assert longest < 60
    # Turns of a chat, written again and again.
    for start in range(0, 20_000, 2_000):
        stream.rollback(1_500)
        more = text[start : start + 1_500]
        text = text[:-1_500] + more
        stream.append(more)
        assert len(stream) - stream.n_stable < 60
    assert stream.ids() == tokenizer.encode(text)


# Texts that come one by one


def any_batch(rng: random.Random) -> list[str | bytes]:
    return [any_text(rng) for _ in range(rng.randrange(21))]


def test_an_iterator_gives_what_a_batch_gives(rng):
    for name, batch, allowed_special in examples(rng, any_name, any_batch, any_allowed):
        tokenizer = tokenizer_named(name)
        expected = tokenizer.encode_batch(batch, allowed_special=allowed_special)
        iterator = tokenizer.encode_iter(iter(batch), allowed_special=allowed_special)
        assert iter(iterator) is iterator
        assert list(iterator) == expected
        assert list(iterator) == []


def test_many_texts_in_batches():
    batch = stdlib_texts() * 2 + [""] * 5_000
    assert list(trained().encode_iter(batch, num_threads=2)) == trained().encode_batch(batch)


def test_an_iterator_takes_no_more_than_a_batch():
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield "word " * 200

    iterator = trained().encode_iter(endless())
    assert next(iterator) == trained().encode("word " * 200)
    assert taken * 1000 < 2**18
    for _ in range(30_000):
        next(iterator)
    assert taken * 1000 < 30_000 * 1000 + 2**23


def good_then(error):
    yield "one"
    yield "two"
    raise error


@pytest.mark.parametrize(
    ("texts", "error", "note"),
    [
        (lambda: good_then(RuntimeError("the source broke")), RuntimeError, None),
        (lambda: ["one", "two", 3, "four", None], TypeError, "at index 2"),
        (lambda: ["one", "two", "\ud800"], UnicodeEncodeError, "at index 2"),
        (lambda: ["one", "two", "<|endoftext|>", 4], SpecialTokenError, "at index 2"),
    ],
)
def test_what_fails_is_raised_after_the_ids_before_it(texts, error, note):
    gpt2 = builtin("gpt2")
    iterator = gpt2.encode_iter(texts(), disallowed_special="all")
    assert [next(iterator), next(iterator)] == gpt2.encode_batch(["one", "two"])
    with pytest.raises(error) as raised:
        next(iterator)
    assert getattr(raised.value, "__notes__", [None]) == [note]
    assert next(iterator, "end") == "end"


def test_an_iterator_that_feeds_on_itself_is_refused():
    iterator = None

    def texts():
        yield "one"
        next(iterator)

    iterator = builtin("gpt2").encode_iter(texts())
    assert next(iterator) == [505]
    with pytest.raises(RuntimeError, match="in use"):
        next(iterator)

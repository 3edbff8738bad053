"""Offsets, segments, texts that must fit, more special tokens: held to plain definitions."""

from __future__ import annotations

import json
import pickle
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bytepair import SpecialTokenError, Tokenizer, VocabularyError
from common import EXAMPLES, builtin
from texts import (
    any_allowed,
    any_ids,
    any_name,
    any_str,
    any_text,
    as_bytes,
    char_ends,
    char_of,
    examples,
    token_ends,
    tokenizer_named,
)

# Offsets


def test_offsets_are_where_the_bytes_of_tokens_lie(rng):
    first = [("gpt2", "", ()), ("o200k_base", "🦀" * 5, ())]
    for name, text, allowed_special in examples(rng, any_name, any_text, any_allowed, first=first):
        tokenizer = tokenizer_named(name)
        ids = tokenizer.encode(text, allowed_special=allowed_special)
        starts = [0, *token_ends(tokenizer, ids)][:-1] if ids else []
        assert tokenizer.encode_with_offsets(text, unit="byte", allowed_special=allowed_special) == (ids, starts)
        ends = char_ends(as_bytes(text))
        in_chars = [char_of(ends, start) for start in starts]
        assert tokenizer.encode_with_offsets(text, allowed_special=allowed_special) == (ids, in_chars)


def test_decoded_offsets_are_characters_of_the_text(rng):
    for name, ids in examples(rng, any_name, any_ids):
        tokenizer = tokenizer_named(name)
        text, starts = tokenizer.decode_with_offsets(ids)
        assert text == tokenizer.decode(ids)
        ends = char_ends(tokenizer.decode_bytes(ids))
        assert starts == [char_of(ends, start) for start in [0, *token_ends(tokenizer, ids)][: len(ids)]]
        try:
            strict = tokenizer.decode(ids, errors="strict")
        except UnicodeDecodeError:
            with pytest.raises(UnicodeDecodeError):
                tokenizer.decode_with_offsets(ids, "strict")
        else:
            assert tokenizer.decode_with_offsets(ids, "strict") == (strict, starts)


@given(st.text(alphabet="ab 中\ud83d\ude00\ud800\udfff😀", max_size=16))
def test_offsets_count_the_characters_of_the_str_where_surrogates_were_joined(text):
    gpt2 = builtin("gpt2")
    ids, starts = gpt2.encode_with_offsets(text, errors="replace")
    assert ids == gpt2.encode(text, errors="replace")
    # One character of the text for one of the joined text, but two for a pair.
    pieces = re.findall("[\ud800-\udbff][\udc00-\udfff]|.", text, re.DOTALL)
    joined = [piece.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for piece in pieces]
    ends = char_ends("".join(joined).encode())
    index = [sum(map(len, pieces[:n])) for n in range(len(pieces) + 1)]
    assert starts == [index[char_of(ends, at)] for at in [0, *token_ends(gpt2, ids)][: len(ids)]]
    for max_tokens in range(4):
        assert text.startswith(gpt2.truncate(text, max_tokens))
        assert text.endswith(gpt2.truncate(text, max_tokens, side="left"))
    if text:
        spans = gpt2.split(text, 5)
        assert (spans[0][0], spans[-1][1]) == (0, len(text))


# Segments


def any_segments(rng: random.Random) -> list[tuple[str | bytes, bool]]:
    trusted = [(any_str(rng), True) for _ in range(rng.randrange(4))]
    untrusted = [(any_text(rng), False) for _ in range(rng.randrange(4))]
    return rng.sample(trusted + untrusted, k=len(trusted + untrusted))


def plain_segments(tokenizer: Tokenizer, segments: list[tuple[str, bool]]) -> list[int]:
    specials = tokenizer.special_tokens
    found = re.compile("(" + "|".join(map(re.escape, sorted(specials, key=len, reverse=True))) + ")")
    ids, pending = [], b""
    for text, trusted in segments:
        pieces = found.split(text) if trusted and isinstance(text, str) else [text]
        for index, piece in enumerate(pieces):
            if index % 2:
                ids += [*tokenizer.encode(pending), specials[piece]]
                pending = b""
            else:
                pending += as_bytes(piece)
    return ids + tokenizer.encode(pending)


def test_segments_are_the_joined_text_with_specials_where_trusted(rng):
    first = [
        ("gpt2", [("<|endof", True), ("text|>", True)]),
        ("gpt2", [("hel", True), ("lo", False), ("<|endoftext|>", True), ("", True)]),
    ]
    for name, segments in examples(rng, any_name, any_segments, first=first):
        tokenizer = tokenizer_named(name)
        assert tokenizer.encode_segments(segments) == plain_segments(tokenizer, segments)
        joined = "".join(text for text, _ in segments if isinstance(text, str))
        assert tokenizer.encode_segments([(joined, True)]) == tokenizer.encode(joined, allowed_special="all")
        assert tokenizer.encode_segments(iter([(joined, False)])) == tokenizer.encode(joined)


# Texts that must fit


def fits(tokenizer: Tokenizer, data: bytes, max_tokens: int, allowed_special) -> bool:
    return len(tokenizer.encode(data, allowed_special=allowed_special)) <= max_tokens


def plain_truncate(tokenizer: Tokenizer, data: bytes, max_tokens: int, allowed_special) -> int:
    """The length of the longest beginning of whole characters that fits, up to where the first tokens end."""
    ids = tokenizer.encode(data, allowed_special=allowed_special)
    reach = [0, *token_ends(tokenizer, ids)][min(max_tokens, len(ids))]
    bounds = [0, *char_ends(data)]
    upto = next(bound for bound in bounds if bound >= reach)
    tried = (bound for bound in reversed(bounds) if bound <= upto)
    return next(bound for bound in tried if fits(tokenizer, data[:bound], max_tokens, allowed_special))


def plain_truncate_left(tokenizer: Tokenizer, data: bytes, max_tokens: int, allowed_special) -> int:
    ids = tokenizer.encode(data, allowed_special=allowed_special)
    reach = [0, *token_ends(tokenizer, ids)][max(0, len(ids) - max_tokens)]
    bounds = [0, *char_ends(data)]
    upfrom = max(bound for bound in bounds if bound <= reach)
    tried = (bound for bound in bounds if bound >= upfrom)
    return next(bound for bound in tried if fits(tokenizer, data[bound:], max_tokens, allowed_special))


def test_a_text_is_cut_to_the_longest_that_fits(rng):
    for name, text, max_tokens, allowed_special in examples(
        rng, any_name, any_text, lambda rng: rng.randrange(13), any_allowed
    ):
        tokenizer = tokenizer_named(name)
        data = as_bytes(text)
        length = plain_truncate(tokenizer, data, max_tokens, allowed_special)
        right = tokenizer.truncate(text, max_tokens, allowed_special=allowed_special)
        assert isinstance(right, type(text))
        assert as_bytes(right) == data[:length]
        start = plain_truncate_left(tokenizer, data, max_tokens, allowed_special)
        left = tokenizer.truncate(text, max_tokens, side="left", allowed_special=allowed_special)
        assert as_bytes(left) == data[start:]
        n_tokens = len(tokenizer.encode(text, allowed_special=allowed_special))
        assert tokenizer.count(text, allowed_special=allowed_special) == n_tokens
        assert tokenizer.count(text, limit=max_tokens, allowed_special=allowed_special) == (
            n_tokens if n_tokens <= max_tokens else None
        )
        if n_tokens <= max_tokens:
            assert right == left == text


def plain_split(
    tokenizer: Tokenizer, data: bytes, max_tokens: int, overlap: int, allowed_special
) -> list[tuple[int, int]]:
    ends = token_ends(tokenizer, tokenizer.encode(data, allowed_special=allowed_special))
    bounds = [0, *char_ends(data)]
    spans: list[tuple[int, int]] = []
    start = 0
    while start < len(data):
        after = [end for end in ends if end > start]
        reach = after[max_tokens - 1] if len(after) >= max_tokens else len(data)
        upto = next(bound for bound in bounds if bound >= reach)
        tried = (bound for bound in reversed(bounds) if start <= bound <= upto)
        end = next(bound for bound in tried if fits(tokenizer, data[start:bound], max_tokens, allowed_special))
        covered = spans[-1][1] if spans else 0
        if end <= covered:
            if start == covered:
                raise ValueError(bounds.index(start))
            start = covered
            continue
        spans.append((start, end))
        if overlap and end < len(data):
            # The tokens up to the one that reaches the end of the span; the last `overlap` of them.
            upto_end = [0, *(at for at in ends if at < end)]
            earliest = upto_end[-overlap] if len(upto_end) >= overlap else 0
            second = next(bound for bound in bounds if bound > start)
            earliest = max(second, max(bound for bound in bounds if bound <= earliest))
            tried = (bound for bound in bounds if earliest <= bound <= end)
            start = next(bound for bound in tried if fits(tokenizer, data[bound:end], overlap, allowed_special))
        else:
            start = end
    return [(bounds.index(start), bounds.index(end)) for start, end in spans]


def test_a_split_covers_the_text_with_spans_that_fit(rng):
    first = [("gpt2", "", 1, 0, ()), ("gpt2", "🦀", 1, 0, ())]
    for name, text, max_tokens, overlap, allowed_special in examples(
        rng,
        any_name,
        any_text,
        lambda rng: rng.randrange(1, 10),
        lambda rng: rng.randrange(9),
        any_allowed,
        first=first,
    ):
        tokenizer = tokenizer_named(name)
        overlap = min(overlap, max_tokens - 1)
        try:
            expected = plain_split(tokenizer, as_bytes(text), max_tokens, overlap, allowed_special)
        except ValueError as error:
            message = f"^the character at index {error.args[0]} alone has more than {max_tokens} tokens$"
            with pytest.raises(ValueError, match=message):
                tokenizer.split(text, max_tokens, overlap=overlap, allowed_special=allowed_special)
            continue
        assert tokenizer.split(text, max_tokens, overlap=overlap, allowed_special=allowed_special) == expected
        chars = [0, *char_ends(as_bytes(text))]
        covered = 0
        for start, end in expected:
            assert start <= covered < end
            shared = as_bytes(text)[chars[start] : chars[covered]]
            assert tokenizer.count(shared, allowed_special=allowed_special) <= overlap
            covered = end
        assert covered == len(chars) - 1


def test_long_texts_are_cut_and_split(rng):
    # Long enough to be encoded in blocks.
    for _ in range(max(20, EXAMPLES // 50)):
        tokenizer = tokenizer_named(any_name(rng))
        allowed_special = any_allowed(rng)
        data = b"".join(as_bytes(any_text(rng)) for _ in range(rng.randrange(150)))
        if rng.random() < 0.3:
            data += rng.choice([b"a", b" ", "中".encode(), b"!"]) * rng.randrange(2_000)
        max_tokens = rng.choice([10, 100, 1_000])
        length = plain_truncate(tokenizer, data, max_tokens, allowed_special)
        assert tokenizer.truncate(data, max_tokens, allowed_special=allowed_special) == data[:length]
        start = plain_truncate_left(tokenizer, data, max_tokens, allowed_special)
        assert tokenizer.truncate(data, max_tokens, side="left", allowed_special=allowed_special) == data[start:]
        overlap = rng.randrange(max_tokens // 2)
        spans = plain_split(tokenizer, data, max_tokens, overlap, allowed_special)
        assert tokenizer.split(data, max_tokens, overlap=overlap, allowed_special=allowed_special) == spans


@pytest.mark.parametrize("name", ["gpt2", "o200k_base", "cl100k", "deepseek_v3"])
@pytest.mark.parametrize("unit", ["a", "ab", " ", "\n", "1", "中", "中A", "!", "xqz", "🦀", "a ", "\u0301"])
@pytest.mark.timeout(60)
def test_no_text_takes_quadratic_time_to_fit(name, unit):
    tokenizer = tokenizer_named(name)
    text = unit * (200_000 // len(unit.encode())) + "x"
    spans = tokenizer.split(text, 50, overlap=5)
    assert (spans[0][0], spans[-1][1]) == (0, len(text))
    assert all(tokenizer.count(text[start:end]) <= 50 for start, end in spans)
    assert 0 < tokenizer.count(tokenizer.truncate(text, 1000)) <= 1000
    assert 0 < tokenizer.count(tokenizer.truncate(text, 1000, side="left")) <= 1000


# More special tokens


@settings(max_examples=50)
@given(st.text(), st.lists(st.sampled_from(["<user>", "<bot>", "<a>", "[x]"]), unique=True), st.booleans())
def test_more_special_tokens(text, more, as_list):
    tokenizer = tokenizer_named("o200k")
    chat = tokenizer.with_special_tokens(more if as_list else dict.fromkeys(more))
    new = [name for name in more if name not in tokenizer.special_tokens]
    numbered = {name: tokenizer.n_vocab + index for index, name in enumerate(new)}
    assert chat.special_tokens == tokenizer.special_tokens | numbered
    assert chat.encode(text) == tokenizer.encode(text)
    for name, token_id in numbered.items():
        assert chat.encode(name, allowed_special="all") == [token_id]
        assert chat.decode([token_id]) == name
    assert (chat == tokenizer) == (not new)


def test_more_special_tokens_have_no_name_and_keep_what_the_tokenizer_was():
    gpt2 = builtin("gpt2")
    chat = gpt2.with_special_tokens({"<|user|>": 60_000, "<|endoftext|>": 50_256, "<|bot|>": None})
    assert chat.special_tokens == {"<|endoftext|>": 50_256, "<|user|>": 60_000, "<|bot|>": 60_001}
    assert (chat.name, chat.n_vocab, type(chat)) == (None, 60_002, Tokenizer)
    assert gpt2.special_tokens == {"<|endoftext|>": 50_256}
    assert pickle.loads(pickle.dumps(chat)) == chat != gpt2


REFUSED = {
    "taken id": ({"<x>": 5}, VocabularyError, 'id 5 is both "&" and "<x>"'),
    "other id": ({"<|endoftext|>": 7}, SpecialTokenError, '"<|endoftext|>" is already the special token 50256'),
    "ordinary": ({" world": None}, SpecialTokenError, '" world" is also the ordinary token 995'),
    "empty": ({"": None}, SpecialTokenError, "empty"),
    "twice": (["<x>", "<x>"], SpecialTokenError, "twice"),
    "same id": ({"<x>": 60_000, "<y>": 60_000}, VocabularyError, 'id 60000 is both "<x>" and "<y>"'),
    "huge id": ({"<x>": 2**24}, ValueError, "not in 0..2**24"),
    "absurd id": ({"<x>": 2**24 - 1}, VocabularyError, "absurd"),
    "a set": ({"<x>"}, TypeError, "is a set"),
    "a text": ("<x>", TypeError, "pass ['<x>']"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_colliding_special_tokens_are_refused(name):
    tokens, error, message = REFUSED[name]
    with pytest.raises(error, match=re.escape(message)):
        builtin("gpt2").with_special_tokens(tokens)


# Tokenizers that change the text

CHANGING = {
    "normalizer": {"normalizer": {"type": "NFC"}},
    "added token": {
        "added_tokens": [
            {
                "id": 50256,
                "content": "<|endoftext|>",
                "single_word": False,
                "lstrip": True,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
        ]
    },
}


@pytest.mark.parametrize("name", CHANGING)
def test_what_rests_on_parts_of_a_text_refuses_a_tokenizer_that_changes_it(name, tmp_path):
    path = tmp_path / "tokenizer.json"
    builtin("gpt2").save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | CHANGING[name]))
    changing = Tokenizer.load(path)
    calls = [
        lambda: changing.encode_with_offsets("a"),
        lambda: changing.encode_segments([("a", True)]),
        lambda: changing.truncate("a", 1),
        lambda: changing.truncate("a", 1, side="left"),
        lambda: changing.split("a", 1),
        lambda: changing.encode_stream(),
    ]
    for call in calls:
        with pytest.raises(
            ValueError, match="cannot be exact with this tokenizer: its normaliser, split or added tokens"
        ):
            call()
    text = "é <|endoftext|> x"
    ids = changing.encode(text, allowed_special="all")
    assert list(changing.encode_iter([text], allowed_special="all")) == [ids]
    assert changing.count(text, allowed_special="all") == len(ids)
    assert changing.count(text) == len(changing.encode(text))
    stream = changing.decode_stream()
    assert "".join([stream.push(ids), stream.flush()]) == changing.decode(ids)
    assert changing.decode_with_offsets(ids)[0] == changing.decode(ids)
    chat = changing.with_special_tokens(["<user>"])
    assert chat.encode(f"{text}<user>", allowed_special="all") == [*ids, 50_257]

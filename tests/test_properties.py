"""What holds for every text, every bytes and every tokenizer."""

from __future__ import annotations

import copy
import pickle
import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bytepair import Counts, Tokenizer
from bytepair.reference import ReferenceTokenizer
from common import BUILTIN, EXAMPLES, builtin, mixed_text, stdlib_texts, trained

TOKENIZERS = [*BUILTIN, "trained"]
PRESETS = [
    "gpt2", "gpt2_digits1", "cl100k", "cl100k_digits2", "cl100k_newlines_first",
    "o200k", "o200k_digits1", "qwen2", "llama3", "deepseek_v3",
]  # fmt: skip
# Patterns that leave gaps, match nothing, run far ahead, or need the look-ahead rewritten.
PATTERNS = [*PRESETS, "[0-9]+", "a*", "a*b|a", r"\w+|\s+(?!\S)|\s", "(?:x|y)+z", r"(?s:.)", r"\p{Han}|[^\p{Han}]+$"]

texts = st.text() | st.text(alphabet="ab '\ns1é中", max_size=60)
bytes_ = st.binary(max_size=80) | texts.map(str.encode)


def tokenizer_named(name: str) -> Tokenizer:
    return trained() if name == "trained" else builtin(name)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_any_text_comes_back(name):
    tokenizer = tokenizer_named(name)

    @given(texts)
    @example("")
    @example("\0")
    @example(" " * 100 + "x")
    @example("<|endoftext|>")
    def check(text):
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids, errors="strict") == text
        assert tokenizer.count(text) == len(ids)
        assert not set(ids) & set(tokenizer.special_tokens.values())
        assert tokenizer.encode(text.encode()) == ids
        allowed = tokenizer.encode(text, allowed_special="all")
        assert tokenizer.decode(allowed, errors="strict") == text

    check()


@pytest.mark.parametrize("name", TOKENIZERS)
def test_any_bytes_come_back(name):
    tokenizer = tokenizer_named(name)

    @given(bytes_)
    @example(b"\xff")
    @example(b"a\xe4\xb8b\xf0\x9f\x98\x80\x80")
    @example(bytes(range(256)))
    def check(data):
        ids = tokenizer.encode(data)
        assert tokenizer.decode_bytes(ids) == data
        assert tokenizer.decode(ids) == data.decode(errors="replace")
        assert tokenizer.encode(bytearray(data)) == tokenizer.encode(memoryview(data)) == ids

    check()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_nothing_is_lost_with_any_pattern(pattern):
    tokenizer = Tokenizer(trained().vocab, trained().merges, pattern=pattern)

    @settings(max_examples=max(100, EXAMPLES // 2))
    @given(bytes_)
    def check(data):
        assert tokenizer.decode_bytes(tokenizer.encode(data)) == data

    check()


@given(st.from_regex(r"[abx0-9.*+?|()\[\]\\]{1,8}", fullmatch=True), texts)
def test_any_regex_is_refused_or_loses_nothing(pattern, text):
    from bytepair import PatternError

    try:
        counts = Counts(pattern, special_tokens=())
        counts.update([text.encode()])
    except PatternError as error:
        assert 0 <= error.position <= len(pattern.encode())  # noqa: PT017
        return
    assert counts.total_bytes == len(text.encode())
    tokenizer = Tokenizer(trained().vocab, trained().merges, pattern=pattern)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(st.lists(texts | bytes_, max_size=20), st.sampled_from([None, 1, 2, 8]))
def test_a_batch_is_its_texts_one_by_one(batch, num_threads):
    tokenizer = trained()
    single = [tokenizer.encode(text) for text in batch]
    assert tokenizer.encode_batch(batch, num_threads=num_threads) == single
    ids, offsets = tokenizer.encode_batch_to_numpy(batch, dtype="int64", num_threads=num_threads)
    assert [ids[a:b].tolist() for a, b in pairwise(offsets)] == single
    expected = [text if isinstance(text, str) else text.decode(errors="replace") for text in batch]
    assert tokenizer.decode_batch(single) == expected


@pytest.mark.parametrize("num_threads", [1, 2, 3, 8])
def test_threads_do_not_matter(num_threads):
    # Long enough that threads are used; see `MIN_BYTES_PER_THREAD` in the core.
    batch = stdlib_texts()
    assert sum(map(len, batch)) > 2**20
    assert trained().encode_batch(batch, num_threads=num_threads) == [trained().encode(text) for text in batch]


def test_eight_threads_on_one_tokenizer():
    tokenizer = Tokenizer.from_pretrained("cl100k_base")
    batch = stdlib_texts()[:40]
    expected = tokenizer.encode_batch(batch, num_threads=1)
    wrong = []

    def work():
        for text, ids in zip(batch, expected, strict=True):
            if tokenizer.encode(text) != ids or tokenizer.decode(ids) != text:
                wrong.append(text)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@given(texts)
def test_the_reference_gives_the_same_ids(text):
    plain = reference()
    ids = [plain.tokens[token_id] for token_id in plain.encode(text)]
    assert [trained().id_to_bytes(token_id) for token_id in trained().encode(text)] == ids


def test_the_reference_gives_the_same_ids_on_mixed_scripts(rng):
    plain = reference()
    for _ in range(EXAMPLES):
        text = mixed_text(rng)
        assert plain.encode(text) == trained().encode(text)


def reference() -> ReferenceTokenizer:
    return ReferenceTokenizer(trained().merges)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_copies_are_equal(name, tmp_path):
    tokenizer = tokenizer_named(name)
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    copies = [
        pickle.loads(pickle.dumps(tokenizer)),
        copy.copy(tokenizer),
        copy.deepcopy(tokenizer),
        Tokenizer.load(path),
    ]
    for other in copies:
        assert other == tokenizer
        assert hash(other) == hash(tokenizer)
        assert other.fingerprint == tokenizer.fingerprint
        assert other.vocab == tokenizer.vocab
        assert other.merges == tokenizer.merges
        assert other.special_tokens == tokenizer.special_tokens
        assert other.encode("Hello, 世界 it's 12345  \n x") == tokenizer.encode("Hello, 世界 it's 12345  \n x")
    assert tokenizer != tokenizer.fingerprint
    assert len(pickle.dumps(builtin("gpt2"))) < 200, "a built-in vocabulary pickles by name"


MERGE_LISTS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 400), st.sampled_from([b"a", b"b", b"c"])), max_size=30
)


@given(MERGE_LISTS, st.lists(st.sampled_from(["<a>", "<b>", "<a><b>"]), unique=True), st.sampled_from(PRESETS), texts)
def test_any_tokenizer_saves_loads_and_pickles_equal(tmp_path_factory, choices, specials, pattern, text):
    tokens = [b"a", b"b", b"c"]
    merges: list[tuple[bytes, bytes]] = []
    for left, right, _ in choices:
        pair = (tokens[left % len(tokens)], tokens[right % len(tokens)])
        if b"".join(pair) not in tokens and len(b"".join(pair)) < 40:
            merges.append(pair)
            tokens.append(b"".join(pair))
    vocab = [bytes([byte]) for byte in range(256)] + tokens[3:]
    tokenizer = Tokenizer(dict(enumerate(vocab)), merges, pattern=pattern, special_tokens=specials)
    assert pickle.loads(pickle.dumps(tokenizer)) == tokenizer
    path = tmp_path_factory.mktemp("saved") / "tokenizer.json"
    tokenizer.save(path)
    loaded = Tokenizer.load(path)
    assert loaded == tokenizer
    assert loaded.encode(text, allowed_special="all") == tokenizer.encode(text, allowed_special="all")


@given(st.lists(st.integers(0, 50256)), st.sampled_from(["uint16", "uint32", "int32", "int64", "int16", "uint64"]))
def test_ids_of_any_container(ids, dtype):
    gpt2 = builtin("gpt2")
    if dtype == "int16":
        ids = [token_id for token_id in ids if token_id < 2**15]
    expected = gpt2.decode_bytes(ids)
    array = np.array(ids, dtype=dtype)
    assert gpt2.decode_bytes(array) == expected
    assert gpt2.decode_bytes(tuple(ids)) == expected
    assert gpt2.decode_bytes(iter(ids)) == expected
    assert gpt2.decode_bytes(list(array)) == expected, "NumPy scalars are integers"
    assert gpt2.decode_bytes(np.repeat(array, 2)[::2]) == expected, "strided"


@given(texts, st.sampled_from(["uint16", "uint32", "int32", "int64"]))
def test_arrays_hold_the_ids(text, dtype):
    gpt2 = builtin("gpt2")
    array = gpt2.encode_to_numpy(text, dtype=dtype)
    assert array.dtype == dtype
    assert array.flags.writeable
    assert array.tolist() == gpt2.encode(text)


@given(texts, st.integers(0, 50))
def test_a_limit_stops_the_count(text, limit):
    n_tokens = builtin("o200k_base").count(text)
    assert builtin("o200k_base").count(text, limit=limit) == (n_tokens if n_tokens <= limit else None)


@given(st.lists(st.sampled_from(["<a>", "<a><b>", "<b>", "x", " <", "a>"]), max_size=12))
def test_the_longest_special_token_wins(pieces):
    text = "".join(pieces)
    tokenizer = Tokenizer(trained().vocab, trained().merges, pattern="gpt2", special_tokens=["<a>", "<b>", "<a><b>"])
    specials = tokenizer.special_tokens
    expected, plain, position = [], "", 0
    while position < len(text):
        found = max((name for name in specials if text.startswith(name, position)), key=len, default="")
        if found:
            expected += [*tokenizer.encode(plain), specials[found]]
            plain, position = "", position + len(found)
        else:
            plain, position = plain + text[position], position + 1
    assert tokenizer.encode(text, allowed_special="all") == expected + tokenizer.encode(plain)
    only = tokenizer.encode(text, allowed_special={"<b>"})
    assert set(only) & set(specials.values()) <= {specials["<b>"]}


@given(st.text(alphabet="a\ud83d\ude00\ud800\udfff", max_size=12))
def test_lone_surrogates_are_replaced_when_asked(text):
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    gpt2 = builtin("gpt2")
    assert gpt2.encode(text, errors="replace") == gpt2.encode(joined)
    assert gpt2.count(text) == len(gpt2.encode(joined))


@pytest.mark.parametrize("place", [0, 40_000, 179_999])
def test_a_long_text_is_counted_whatever_it_holds(place):
    """It is made UTF-8 part by part, and what is no character may lie in any of them."""
    text = "你好, мир. " * 20_000
    gpt2 = builtin("gpt2")
    n_tokens = len(gpt2.encode(text))
    assert gpt2.count(text) == gpt2.count(text, limit=n_tokens) == n_tokens
    assert gpt2.count(text, limit=n_tokens - 1) is None
    strange = text[:place] + "\udc00" + text[place + 1 :]
    assert gpt2.count(strange) == len(gpt2.encode(strange, errors="replace"))


def test_a_copy_is_the_same_object():
    # Nothing can change a tokenizer, so nobody can tell a copy.
    assert copy.copy(trained()) is trained()
    assert copy.deepcopy([trained()])[0] is trained()


def test_numbers_and_dtypes_of_numpy_are_taken():
    gpt2 = builtin("gpt2")
    for dtype in ("uint16", np.uint16, np.dtype("uint16")):
        assert gpt2.encode_to_numpy("hello", dtype=dtype).dtype == np.uint16
        assert gpt2.encode_batch_to_numpy(["hello"], dtype=dtype)[0].dtype == np.uint16
    assert Tokenizer.train(["abab"], np.int64(257), special_tokens=None).merges == [(b"a", b"b")]
    assert Tokenizer(gpt2.vocab, [], pattern="gpt2", special_tokens=None).special_tokens == {}
    assert Tokenizer({byte: bytearray([byte]) for byte in range(256)}, [], pattern="gpt2").vocab_size == 256

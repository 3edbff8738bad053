"""`bytepair.tiktoken` does what tiktoken does: results, and exceptions to the type and message, side by side."""

from __future__ import annotations

import array
import copy
import functools
import inspect
import pickle
import subprocess
import sys
import types
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import tiktoken
import tiktoken.load
import tiktoken.model
from hypothesis import given, settings
from hypothesis import strategies as st

import bytepair.tiktoken
import bytepair.tiktoken.load
import bytepair.tiktoken.model
from bytepair import PatternError, SpecialTokenError, VocabularyError
from common import EXAMPLES, SCRIPTS, mixed_text, stdlib_texts, trained
from peers import LLAMA3_PATTERN, QWEN2_PATTERN, ordinary_tokens, tiktoken_encoding

NAMES = tiktoken.list_encoding_names()
BYTES = {bytes([byte]): byte for byte in range(256)}
PUBLIC = [name for name in dir(tiktoken.Encoding) if not name.startswith("_")]

# Patterns for vocabularies of one's own; the last three skip text.
PATTERNS = [r"\w+|\s+|[^\w\s]+", LLAMA3_PATTERN, QWEN2_PATTERN, r"(?s:.)", r" ?[a-z]+|\s", r"[ab]+|世", "ab"]


def outcome(owner: object, name: str, *arguments: object, **options: object) -> object:
    """What a method gives: its value, or the type and arguments of its exception."""
    try:
        value = getattr(owner, name)
        if callable(value):
            value = value(*arguments, **options)
    except Exception as error:
        return type(error), error.args
    match value:
        case np.ndarray():
            return value.dtype, value.tolist()
        case tuple((list(stable), list(completions))):  # Completions have no order in tiktoken.
            return stable, sorted(completions)
    return value


def assert_same(owners: tuple[object, object], name: str, *arguments: object, **options: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        ours, theirs = (outcome(owner, name, *arguments, **options) for owner in owners)
    assert ours == theirs, (name, arguments, options)


def both(call: Callable[[types.ModuleType], object]) -> tuple[object, object]:
    """The two modules, each as what has a method that calls `call` with it."""
    ours, theirs = (
        types.SimpleNamespace(call=functools.partial(call, module)) for module in (bytepair.tiktoken, tiktoken)
    )
    return ours, theirs


@functools.cache
def pair(name: str) -> tuple[bytepair.tiktoken.Encoding, tiktoken.Encoding]:
    return bytepair.tiktoken.get_encoding(name), tiktoken_encoding(name)


def own(**changed) -> tuple[bytepair.tiktoken.Encoding, tiktoken.Encoding]:
    """A small encoding, by both."""
    arguments = {
        "name": "own",
        "pat_str": PATTERNS[0],
        "mergeable_ranks": BYTES | {b"ab": 256, b"abc": 257, b"  ": 258, "世".encode(): 259},
        "special_tokens": {"<e>": 300, "<|endoftext|>": 302, "世<": 304},
    } | changed
    return bytepair.tiktoken.Encoding(**arguments), tiktoken.Encoding(**arguments)


@st.composite
def own_encodings(draw) -> tuple[bytepair.tiktoken.Encoding, tiktoken.Encoding]:
    """Encodings of a few tokens, some of which no merges lead to."""
    tokens = draw(st.lists(st.text("ab \n世", min_size=1, max_size=4).map(str.encode), max_size=12, unique=True))
    tokens = [token for token in tokens if token not in BYTES]
    ranks = BYTES | {token: 256 + index for index, token in enumerate(tokens)}
    specials = draw(st.sampled_from([{}, {"<e>": 300}, {"<e>": 300, "<|endoftext|>": 301, "世<": 350}]))
    return own(mergeable_ranks=ranks, special_tokens=specials, pat_str=draw(st.sampled_from(PATTERNS)))


encodings = st.sampled_from(NAMES).map(pair) | own_encodings()
parts = st.sampled_from(["<e>", "<e", "世<", "<|endoftext|>", "<|endofprompt|>", "<|reserved_200018|>", "<|start|>"])
letters = st.text("ab \n世", max_size=5) | st.text("".join(SCRIPTS), max_size=8) | st.text(max_size=4)
surrogates = st.sampled_from(["\ud83d\ude00", "\ud83d", "\ude00"])
texts = st.lists(letters | parts | surrogates, max_size=6).map("".join)
names = st.sets(st.sampled_from(["<e>", "世<", "<|endoftext|>", "<|endofprompt|>", "no special", "b"]), max_size=3)
allowed = st.just("all") | names | names.map(frozenset) | st.just(["<e>"])
disallowed = st.sampled_from(["all", (), "ab", None]) | names | names.map(sorted) | names.map(list).map(tuple)
ids = st.lists(
    st.integers(0, 300) | st.integers(0, 210_000) | st.sampled_from([-1, 2**32, 2**32 - 1, 2**70]), max_size=6
)


# Encoding


@given(encodings, texts, allowed, disallowed)
def test_encode(encodings, text, allowed, disallowed):
    ours, theirs = encodings
    options = {"allowed_special": allowed, "disallowed_special": disallowed}
    for method in ("encode", "encode_to_numpy"):
        assert_same((ours, theirs), method, text, **options)
    for method in ("encode", "encode_ordinary", "encode_to_numpy"):
        assert_same((ours, theirs), method, text)


@settings(max_examples=max(20, EXAMPLES // 5))
@given(
    encodings,
    st.lists(texts, min_size=1, max_size=4),
    allowed,
    disallowed,
    st.sampled_from([1, 2, 8, None, 0, -1, "2"]),
)
def test_encode_batch(encodings, batch, allowed, disallowed, num_threads):
    ours, theirs = encodings
    options = {"allowed_special": allowed, "disallowed_special": disallowed, "num_threads": num_threads}
    assert_same((ours, theirs), "encode_batch", batch, **options)
    options = {"num_threads": num_threads}
    assert_same((ours, theirs), "encode_ordinary_batch", tuple(batch), **options)


def test_the_first_bad_text_of_a_batch_names_the_reason():
    encodings = pair("gpt2")
    for batch in (["", "<e>"], ["<e>", ""], ["<e>"], ["", 3, "<e>"], ["<e>", 3]):
        assert_same(encodings, "encode_batch", batch, allowed_special=["<e>"], disallowed_special={"<e>"})
        assert_same(encodings, "encode_batch", batch, disallowed_special={"<e>"})


@given(own_encodings(), texts, allowed, disallowed)
def test_encode_with_unstable(encodings, text, allowed, disallowed):
    ours, theirs = encodings
    options = {"allowed_special": allowed, "disallowed_special": disallowed}
    assert_same((ours, theirs), "encode_with_unstable", text, **options)


@pytest.mark.parametrize("name", ["gpt2", "cl100k_base", "o200k_base"])
def test_encode_with_unstable_of_published_encodings(name, rng):
    ours, theirs = pair(name)
    for _ in range(25):
        # Without white space at the end: half the vocabulary goes on from it.
        text = mixed_text(rng, 3).rstrip() + rng.choice("abC世é")
        options = {"disallowed_special": ()}
        assert_same((ours, theirs), "encode_with_unstable", text, **options)
    assert_same((ours, theirs), "encode_with_unstable", "a  ")


@given(own_encodings(), st.binary(max_size=6) | texts.map(lambda text: text.encode(errors="replace")))
def test_pieces_and_bytes(encodings, data):
    ours, theirs = encodings
    assert_same((ours, theirs), "_encode_bytes", data)
    if data:
        assert_same((ours, theirs), "_encode_single_piece", data)


def test_whole_sources_and_scripts(rng):
    corpus = [*stdlib_texts()[:20], *(mixed_text(rng) for _ in range(300))]
    for name in NAMES:
        ours, theirs = pair(name)
        assert ours.encode_ordinary_batch(corpus) == theirs.encode_ordinary_batch(corpus)
        assert ours.encode_batch(corpus, allowed_special="all") == theirs.encode_batch(corpus, allowed_special="all")


def test_every_special_token():
    for name in NAMES:
        ours, theirs = pair(name)
        # A regex of all but one of a thousand takes tiktoken half a second.
        for special in list(theirs._special_tokens)[:20]:
            for text in (special, f"a{special} {special[:-1]}"):
                assert_same((ours, theirs), "encode", text)
                assert ours.encode(text, allowed_special={special}) == theirs.encode(text, allowed_special={special})
        for special, token_id in theirs._special_tokens.items():
            assert ours.decode([token_id]) == theirs.decode([token_id])
            assert ours.encode(f"a{special} ", allowed_special="all") == theirs.encode(
                f"a{special} ", allowed_special="all"
            )
            assert ours.encode_single_token(special) == token_id


def test_of_special_tokens_that_start_alike_the_longest_wins():
    # In tiktoken the order of a hash table decides, and the others are not found even where only they are allowed.
    ours, theirs = own(special_tokens={"<x": 300, "<xy": 301, "<xyz": 302})
    assert ours.encode("<xyz<xy<x", allowed_special="all") == [302, 301, 300]
    assert ours.encode("<xyz", allowed_special={"<xy"}, disallowed_special=()) == [301, ord("z")]
    assert len({tuple(theirs.encode(text, allowed_special="all")) for text in ("<x", "<xy", "<xyz")}) == 3


# Decoding


@given(encodings, ids, st.sampled_from(["strict", "replace", "ignore", "backslashreplace", "no such", None]))
def test_decode(encodings, ids, errors):
    ours, theirs = encodings
    for method in ("decode", "decode_bytes", "decode_tokens_bytes", "decode_with_offsets"):
        assert_same((ours, theirs), method, ids)
    assert_same((ours, theirs), "decode", ids, errors)
    assert_same((ours, theirs), "decode_batch", [ids, [97]], errors=errors)
    assert_same((ours, theirs), "decode_bytes_batch", [[97], ids])
    for token in ids:
        for method in ("decode_single_token_bytes", "is_special_token"):
            assert_same((ours, theirs), method, token)


@given(encodings, texts)
def test_what_was_encoded_decodes(encodings, text):
    ours, theirs = encodings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        ids = ours.encode(text, allowed_special="all")
    assert ours.decode(ids) == theirs.decode(ids)
    assert ours.decode_with_offsets(ids) == theirs.decode_with_offsets(ids)


CONTAINERS = [
    (97, 98),
    range(97, 99),
    b"ab",
    bytearray(b"ab"),
    memoryview(b"ab"),
    array.array("H", [97, 300]),
    [True, np.int64(97)],
    *(np.array([97, 98], dtype=dtype) for dtype in ("u1", "u2", "i4", "u4", "i8", "u8", ">u2", "f4", "?")),
    np.arange(97, 105)[::3],
    np.array([-1]),
    np.array([[97]]),
    np.array(97),
    {97},
    {97: 1},
    "ab",
    None,
    5,
    [None],
    ["a"],
    [1.0],
    [[97]],
]


@pytest.mark.parametrize("tokens", CONTAINERS, ids=lambda tokens: repr(tokens).partition(" at 0x")[0])
def test_decode_takes_what_tiktoken_takes(tokens):
    ours, theirs = own()
    for method in ("decode", "decode_bytes", "decode_tokens_bytes", "decode_with_offsets"):
        assert_same((ours, theirs), method, tokens)
    for method in ("decode_batch", "decode_bytes_batch"):
        assert_same((ours, theirs), method, [tokens])
        assert_same((ours, theirs), method, tokens)


# Arguments of the wrong type or value


@pytest.mark.parametrize("text", [b"abc", bytearray(b"abc"), None, 1, ["a"], np.str_("ab"), np.array(["a"])], ids=repr)
def test_texts_of_other_types(text):
    for ours, theirs in (own(), own(special_tokens={})):
        for method in ("encode", "encode_ordinary", "encode_to_numpy", "encode_with_unstable"):
            assert_same((ours, theirs), method, text)
            assert_same((ours, theirs), method, [text])
        for options in ({}, {"disallowed_special": ()}, {"allowed_special": "all"}):
            assert_same((ours, theirs), "encode", text, **options)
            assert_same((ours, theirs), "encode_batch", [text], **options)
        for method in ("encode_batch", "encode_ordinary_batch"):
            assert_same((ours, theirs), method, text)
            assert_same((ours, theirs), method, ["a", text])
        for method in ("encode_single_token", "_encode_single_piece", "_encode_bytes"):
            assert_same((ours, theirs), method, text)


@pytest.mark.parametrize("value", [None, "ab", "", [], ["<e>"], {"<e>": 1}.keys(), 5, 0, {"": 1}, {"<e>"}], ids=repr)
def test_sets_of_other_types(value):
    for ours, theirs in (own(), pair("cl100k_base")):
        for text in ("ab", "a<e>", "<|endoftext|>"):
            for method in ("encode", "encode_batch", "encode_to_numpy", "encode_with_unstable"):
                for option in ("allowed_special", "disallowed_special"):
                    assert_same((ours, theirs), method, text, **{option: value})
                options = {"allowed_special": value, "disallowed_special": ()}
                assert_same((ours, theirs), method, text, **options)
    for names in ([], ["<e>"], ["ab"]):
        ours, theirs = (outcome(encoding, "encode", "ab<e>", disallowed_special=iter(names)) for encoding in own())
        assert ours == theirs


@pytest.mark.parametrize("token", ["a", "ab", "zz", "<e>", b"<e>", "", b"", b"\xff", "a\ud800", "世"], ids=repr)
def test_single_tokens(token):
    ours, theirs = own()
    assert_same((ours, theirs), "encode_single_token", token)


@pytest.mark.parametrize("token", [97, 300, -1, 2**32, 400, True, "a", None, 1.0, np.int64(97)], ids=repr)
def test_single_ids(token):
    ours, theirs = own()
    for method in ("decode_single_token_bytes", "is_special_token"):
        assert_same((ours, theirs), method, token)


CONSTRUCTORS = [
    {"name": None},
    {"special_tokens": None},
    {"special_tokens": ["<e>"]},
    {"special_tokens": {b"<e>": 300}},
    {"special_tokens": {"\ud800": 300}},
    *({"special_tokens": {"<e>": value}} for value in (-1, 2**32, 1.0, "x")),
    {"mergeable_ranks": None},
    {"mergeable_ranks": {}},
    {"mergeable_ranks": {"a": 1}},
    *({"mergeable_ranks": BYTES | {b"ab": value}} for value in (-1, 2**32, 1.0)),
    {"pat_str": None},
    {"pat_str": b"a"},
    *({"explicit_n_vocab": number} for number in (None, 0, 5, 304, 305, "x")),
    {"special_tokens": {"<e>": 260, "<f>": 261}, "explicit_n_vocab": 262},
    {"special_tokens": {"<e>": 260, "<f>": 262}, "explicit_n_vocab": 262},
    {"special_tokens": {"<e>": 300, "<f>": 300}},
    {"special_tokens": {"<e>": 256}},
    {"unknown": 1},
]


@pytest.mark.parametrize("changed", CONSTRUCTORS, ids=repr)
def test_constructors(changed):
    def shown(module):
        encoding = module.Encoding(
            **{
                "name": "own",
                "pat_str": PATTERNS[0],
                "mergeable_ranks": BYTES | {b"ab": 256, b"abc": 257, b"  ": 258, b"a ": 259},
                "special_tokens": {},
            }
            | changed
        )
        ids = encoding.encode("ab  c<e><f>", allowed_special="all")
        assert encoding.decode(ids) is not None
        return repr(encoding), ids, encoding.n_vocab, encoding.max_token_value, encoding.special_tokens_set

    assert_same(both(shown), "call")


def test_missing_and_positional_arguments():
    for call in (
        lambda module: module.Encoding(),
        lambda module: module.Encoding("a"),
        lambda module: module.Encoding("a", "b", BYTES, {}),
        lambda module: pair("gpt2")[module is tiktoken].encode("a", {"<|endoftext|>"}),
        lambda module: pair("gpt2")[module is tiktoken].encode_batch(["a"], 2),
    ):
        assert_same(both(call), "call")


# Where tiktoken panics, hangs or takes what cannot be exact, an ordinary exception tells why.

REFUSED = [
    ({"mergeable_ranks": BYTES | {b"ab": 5}}, VocabularyError, "id 5 is both"),
    ({"special_tokens": {"": 300}}, SpecialTokenError, "empty"),
    ({"special_tokens": {"ab": 300}}, SpecialTokenError, "also the ordinary token 256"),
    ({"special_tokens": {"<e>": 2**32 - 1}}, ValueError, "not in 0"),
    ({"pat_str": ""}, PatternError, "empty"),
    ({"pat_str": "(a"}, PatternError, "unclosed group"),
    ({"pat_str": r"(a)\1|b"}, PatternError, "back-references"),
    ({"pat_str": r"(?<=a)b"}, PatternError, "look-around"),
]


@pytest.mark.parametrize(("changed", "error", "message"), REFUSED, ids=lambda value: repr(value)[:60])
def test_what_is_refused(changed, error, message):
    arguments = {"pat_str": PATTERNS[0], "mergeable_ranks": BYTES | {b"ab": 256}, "special_tokens": {}} | changed
    with pytest.raises(error, match=message) as raised:
        bytepair.tiktoken.Encoding("own", **arguments)
    assert isinstance(raised.value, ValueError)


def test_where_tiktoken_panics():
    encodings = pair("gpt2")
    for call in (lambda e: e._encode_single_piece(""), lambda e: e.encode_ordinary(" " * 1_100_000 + "x")):
        with pytest.raises(BaseException) as panic:  # noqa: PT011
            call(encodings[1])
        assert not isinstance(panic.value, Exception)
        assert isinstance(call(encodings[0]), list)


# Text that the pattern skips


def test_skipped_text_has_no_tokens_and_a_warning():
    ours, theirs = own(pat_str="[a-z]+")
    assert theirs.encode("ab, cd") == [256, ord("c"), ord("d")]
    for call in (
        lambda: ours.encode("ab, cd"),
        lambda: ours.encode_ordinary("ab, cd"),
        lambda: ours.encode_batch(["ab", "ab, cd"])[1],
        lambda: ours.encode_to_numpy("ab, cd").tolist(),
    ):
        with pytest.warns(UserWarning, match=r'matches nothing of ", " at byte offset 2: as in tiktoken') as caught:
            assert call() == [256, ord("c"), ord("d")]
        assert [warning.filename for warning in caught] == [__file__]
    with pytest.warns(UserWarning, match="byte offset 6"):
        assert ours.encode("世<ab ", allowed_special="all") == [304, 256]
    # With what the warning says to append, nothing is skipped.
    ours, theirs = own(pat_str="[a-z]+|(?s:.)")
    assert ours.encode("ab, cd") == theirs.encode("ab, cd")
    assert ours.decode(ours.encode("ab, cd")) == "ab, cd"


def test_a_pattern_is_never_a_presets_name():
    ours, theirs = own(pat_str="gpt2")
    with pytest.warns(UserWarning, match="matches nothing"):
        assert ours.encode("a gpt2 b") == theirs.encode("a gpt2 b") == list(b"gpt2")


# The module


def test_signatures():
    def shown(function):
        parameters = inspect.signature(function).parameters.values()
        return [(parameter.name, parameter.kind, parameter.default) for parameter in parameters]

    for module in ("", ".model", ".registry"):
        ours, theirs = sys.modules[f"bytepair.tiktoken{module}"], sys.modules[f"tiktoken{module}"]
        for name in ("get_encoding", "list_encoding_names", "encoding_for_model", "encoding_name_for_model"):
            if hasattr(ours, name):
                assert shown(getattr(ours, name)) == shown(getattr(theirs, name))
    for name in ["__init__", "__repr__", *PUBLIC]:
        ours, theirs = (inspect.getattr_static(module.Encoding, name) for module in (bytepair.tiktoken, tiktoken))
        assert type(ours) is type(theirs)
        if inspect.isfunction(theirs):
            assert shown(ours) == shown(theirs), name
    assert set(PUBLIC) <= set(dir(bytepair.tiktoken.Encoding))
    assert bytepair.tiktoken.__version__ == tiktoken.__version__
    assert bytepair.tiktoken.core.Encoding is bytepair.tiktoken.Encoding


def test_models():
    ours, theirs = bytepair.tiktoken.model, tiktoken.model
    assert ours.MODEL_TO_ENCODING == theirs.MODEL_TO_ENCODING
    assert list(ours.MODEL_TO_ENCODING.values())
    assert ours.MODEL_PREFIX_TO_ENCODING == theirs.MODEL_PREFIX_TO_ENCODING
    names = [*theirs.MODEL_TO_ENCODING, *theirs.MODEL_PREFIX_TO_ENCODING]
    for name in [
        *names,
        *(f"{name}x" for name in names),
        *(name[:-1] for name in names),
        "GPT-4",
        None,
        5,
        b"gpt-4",
        ["x"],
    ]:
        assert_same((ours, theirs), "encoding_name_for_model", name)
    assert ours.encoding_for_model("gpt-4") is bytepair.tiktoken.get_encoding("cl100k_base")
    with pytest.raises(KeyError, match="Could not automatically map gpt-9"):
        ours.encoding_for_model("gpt-9")


def test_get_encoding():
    assert bytepair.tiktoken.list_encoding_names() == NAMES
    assert bytepair.tiktoken.get_encoding("gpt2") is bytepair.tiktoken.get_encoding("gpt2")
    for name in ("no such", "", None, 5, ["gpt2"]):
        assert_same((bytepair.tiktoken, tiktoken), "get_encoding", name)


@pytest.mark.parametrize("name", NAMES)
def test_published_encodings_are_the_same_data(name):
    ours, theirs = pair(name)
    for attribute in ("name", "_pat_str", "_special_tokens", "_mergeable_ranks", "max_token_value", "n_vocab"):
        assert getattr(ours, attribute) == getattr(theirs, attribute), attribute
    assert repr(ours) == repr(theirs)
    assert ours.token_byte_values() == theirs.token_byte_values()
    assert ours.special_tokens_set == theirs.special_tokens_set
    assert ours.eot_token == theirs.eot_token


def test_attributes_of_own_encodings():
    ours, theirs = own(special_tokens={"<e>": 300})
    for attribute in ("eot_token", "n_vocab", "special_tokens_set", "max_token_value", "name"):
        assert_same((ours, theirs), attribute)
    assert ours.token_byte_values() == theirs.token_byte_values()
    with pytest.raises(AttributeError, match="has no setter"):
        ours.n_vocab = 1


def test_an_encoding_is_extended_as_tiktokens_readme_does():
    base = bytepair.tiktoken.get_encoding("cl100k_base")
    encoding = bytepair.tiktoken.Encoding(
        name="cl100k_im",
        pat_str=base._pat_str,
        mergeable_ranks=base._mergeable_ranks,
        special_tokens={**base._special_tokens, "<|im_start|>": 100264, "<|im_end|>": 100265},
    )
    assert encoding.encode("<|im_start|>hello", allowed_special="all") == [100264, 15339]
    text = stdlib_texts()[0]
    assert encoding.encode(text) == base.encode(text)


def test_trained_here_and_read_by_both(rng):
    ranks, specials = ordinary_tokens(trained()), trained().special_tokens
    ours, theirs = own(mergeable_ranks=ranks, special_tokens=specials, pat_str=pair("gpt2")[1]._pat_str)
    for text in (mixed_text(rng) for _ in range(500)):
        expected = theirs.encode(text, allowed_special="all")
        assert ours.encode(text, allowed_special="all") == expected
        assert trained().encode(text, allowed_special="all") == expected


def test_pickle_and_copies():
    for ours in (own()[0], bytepair.tiktoken.get_encoding("o200k_harmony")):
        for again in (pickle.loads(pickle.dumps(ours)), copy.copy(ours), copy.deepcopy(ours)):
            assert again is not ours
            assert again.name == ours.name
            assert again.encode("ab 世<e>", disallowed_special=()) == ours.encode("ab 世<e>", disallowed_special=())
            assert again._special_tokens == ours._special_tokens
    assert len(pickle.dumps(bytepair.tiktoken.get_encoding("gpt2"))) < 200
    ours, theirs = own()
    assert ours.__getstate__() == theirs.__getstate__()
    assert ours != own()[0], "as in tiktoken, equality is identity"


def test_rank_files(tmp_path):
    ranks = BYTES | {b"ab": 256}
    ours, theirs = bytepair.tiktoken.load, tiktoken.load
    path = str(tmp_path / "ranks.tiktoken")
    ours.dump_tiktoken_bpe(ranks, path)
    assert ours.load_tiktoken_bpe(path) == theirs.load_tiktoken_bpe(path) == ranks
    assert_same((ours, theirs), "load_tiktoken_bpe", path, "00")
    assert_same((ours, theirs), "load_tiktoken_bpe", "missing")
    for line in ("IQ==", "IQ== x", "IQ== 1 2"):
        bad = tmp_path / f"bad {len(line)}.tiktoken"
        bad.write_text(f"Ig== 0\n\n{line}\n")
        assert_same((ours, theirs), "load_tiktoken_bpe", str(bad))
    with pytest.raises(ValueError, match="uses no network"):
        ours.load_tiktoken_bpe("https://example.com/x.tiktoken")


def test_importing_is_light_and_nothing_uses_the_network(tmp_path):
    code = """
import socket, sys
def refuse(*_): raise AssertionError("the network is used")
socket.socket.connect = socket.getaddrinfo = refuse
before = set(sys.modules)
import bytepair.tiktoken as tiktoken
heavy = {"numpy", "requests", "regex", "rich", "concurrent.futures", "tiktoken"} & (set(sys.modules) - before)
print(heavy, [tiktoken.get_encoding(name).encode("hello world") for name in tiktoken.list_encoding_names()])
"""
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert shown.split()[0] == "set()"
    assert shown.count("[") == 1 + len(NAMES)


def test_threads_share_an_encoding(rng):
    from concurrent.futures import ThreadPoolExecutor

    ours = bytepair.tiktoken.get_encoding("cl100k_base")
    corpus = [mixed_text(rng) for _ in range(200)]
    expected = [ours.encode(text, disallowed_special=()) for text in corpus]
    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(ours.encode_batch, corpus, disallowed_special=()) for _ in range(16)]
        assert all(future.result() == expected for future in found)

"""Bad input: each case is an exception of ours, or Python's own, that says what is wrong and where."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

import bytepair
from bytepair import (
    BytepairError,
    FormatError,
    PatternError,
    SpecialTokenError,
    TokenIdError,
    Tokenizer,
    TrainingError,
    VocabularyError,
)
from common import builtin, trained

BYTES = {byte: bytes([byte]) for byte in range(256)}


def gpt2() -> Tokenizer:
    return builtin("gpt2")


def build(vocab=BYTES, merges=(), pattern="gpt2", special_tokens=()):
    return Tokenizer(vocab, merges, pattern=pattern, special_tokens=special_tokens)


def failing_documents():
    yield "one"
    raise RuntimeError("the source broke")


def report_of(n_merges: int):
    return lambda: Tokenizer.train(["a"], 257).training_report.bytes_per_token(n_merges)


# Name: what is called, the exception's type, and a part of its message.
CASES = {
    # Texts
    "encode an int": (lambda: gpt2().encode(1), TypeError, "text must be str or bytes, not int"),
    "encode None": (lambda: gpt2().encode(None), TypeError, "not NoneType"),
    "encode a list": (lambda: gpt2().encode(["a"]), TypeError, "not list"),
    "encode an array of floats": (lambda: gpt2().encode(np.zeros(2)), TypeError, "not ndarray"),
    "count an int": (lambda: gpt2().count(1), TypeError, "not int"),
    "negative limit": (lambda: gpt2().count("a", limit=-1), OverflowError, "negative"),
    "lone surrogate": (lambda: gpt2().encode("a\ud800b"), UnicodeEncodeError, "in position 1: surrogates not allowed"),
    "unknown errors": (lambda: gpt2().encode("a", errors="ignore"), ValueError, "'strict' or 'replace'"),
    "batch that is a text": (lambda: gpt2().encode_batch("abc"), TypeError, "pass [text]"),
    "batch with an int": (lambda: gpt2().encode_batch(["a", 1]), TypeError, "not int (at index 1)"),
    "batch with a surrogate": (lambda: gpt2().encode_batch(["a", "\udc00"]), UnicodeEncodeError, "(at index 1)"),
    "batch of nothing": (lambda: gpt2().encode_batch(3), TypeError, "not iterable"),
    "zero threads": (lambda: gpt2().encode_batch(["a"], num_threads=0), ValueError, "at least 1"),
    "unknown dtype": (lambda: gpt2().encode_to_numpy("a", dtype="float32"), ValueError, "dtype must be"),
    "dtype that is none": (lambda: gpt2().encode_to_numpy("a", dtype=object()), TypeError, "dtype must be"),
    "dtype of floats": (lambda: gpt2().encode_to_numpy("a", dtype=np.float32), ValueError, "dtype must be"),
    "big-endian dtype": (lambda: gpt2().encode_to_numpy("a", dtype=np.dtype(">u4")), ValueError, "dtype must be"),
    "dtype too narrow": (
        lambda: builtin("cl100k_base").encode_to_numpy("", dtype="uint16"),
        OverflowError,
        "up to 100276 does not fit uint16",
    ),
    # Special tokens in a text
    "disallowed special token": (
        lambda: gpt2().encode("é<|endoftext|>", disallowed_special="all"),
        SpecialTokenError,
        "at byte offset 2",
    ),
    "disallowed special token in a batch": (
        lambda: gpt2().encode_batch(["", "<|endoftext|>"], disallowed_special="all"),
        SpecialTokenError,
        "(at index 1)",
    ),
    "allowed is no special token": (
        lambda: gpt2().encode("a", allowed_special={"<s>"}),
        SpecialTokenError,
        'is not a special token of this tokenizer; it has ["<|endoftext|>"]',
    ),
    "allowed is a string": (
        lambda: gpt2().encode("a", allowed_special="<|endoftext|>"),
        TypeError,
        'must be "all" or a set',
    ),
    # Ids
    "negative id": (lambda: gpt2().decode([1, -1]), TokenIdError, "token id -1 at index 1 is negative"),
    "id out of range": (lambda: gpt2().decode([50257]), TokenIdError, "the largest id is 50256"),
    "huge id": (lambda: gpt2().decode([10**30]), TokenIdError, "is out of range"),
    "unassigned id": (lambda: builtin("cl100k_base").decode([0, 100256]), TokenIdError, "not assigned to any token"),
    "id in an array": (lambda: gpt2().decode(np.array([5, -7])), TokenIdError, "token id -7 at index 1"),
    "bool": (lambda: gpt2().decode([True]), TypeError, "index 0 is a bool"),
    "float": (lambda: gpt2().decode([1.0]), TypeError, "index 0 is a float"),
    "str": (lambda: gpt2().decode("12"), TypeError, "ids must be integers, not str"),
    "bytes": (lambda: gpt2().decode(b"12"), TypeError, "ids must be integers, not bytes"),
    "None": (lambda: gpt2().decode(None), TypeError, "not iterable"),
    "float array": (lambda: gpt2().decode(np.zeros(2)), TypeError, "native integers"),
    "array of two dimensions": (lambda: gpt2().decode(np.zeros((2, 2), "u4")), TypeError, "one-dimensional"),
    "big-endian array": (lambda: gpt2().decode(np.array([31373, 995], ">u4")), TypeError, "native integers"),
    "batch of ids": (lambda: gpt2().decode_batch([[1], [-1]]), TokenIdError, "index 0 is negative"),
    "strict decoding of half a character": (
        lambda: gpt2().decode(gpt2().encode("🦀")[:1], errors="strict"),
        UnicodeDecodeError,
        "unexpected end of data",
    ),
    "bytes of an unknown id": (lambda: gpt2().id_to_bytes(50257), TokenIdError, "out of range"),
    # Training
    "no documents": (lambda: Tokenizer.train([]), TrainingError, "corpus is empty"),
    "empty documents": (lambda: Tokenizer.train(["", b""]), TrainingError, "corpus is empty"),
    "empty text": (lambda: Tokenizer.train(""), TrainingError, "corpus is empty"),
    "only special tokens": (lambda: Tokenizer.train(["<|endoftext|>"]), TrainingError, "corpus is empty"),
    "vocabulary too small": (lambda: Tokenizer.train(["a"], 256), TrainingError, "need at least 257"),
    "vocabulary of none": (lambda: Tokenizer.train(["a"], 0), TrainingError, "need at least 257"),
    "negative vocabulary": (lambda: Tokenizer.train(["a"], -5), TrainingError, "need at least 257"),
    "vocabulary size of another type": (lambda: Tokenizer.train(["a"], "big"), TypeError, "vocab_size"),
    "vocabulary size of a fraction": (lambda: Tokenizer.train(["a"], 300.0), TypeError, "vocab_size must be an int"),
    "report of too many merges": (report_of(1), IndexError, "n_merges=1 is not in 0..0"),
    "report of a negative number of merges": (report_of(-1), IndexError, "n_merges=-1 is not in 0..0"),
    "name of a file": (lambda: Tokenizer.train(__file__), TrainingError, "pass Path("),
    "name of a file in a list": (
        lambda: Tokenizer.train([__file__]),
        TrainingError,
        "the first document is a str that",
    ),
    "name of a folder": (lambda: Tokenizer.train("/tmp"), TrainingError, "names an existing file or folder"),
    "None for a document": (lambda: Tokenizer.train([None]), TypeError, "document 0 of the corpus is a NoneType"),
    "vocabulary too large": (lambda: Tokenizer.train(["a"], 10**30), TrainingError, "vocab_size=1000"),
    "corpus of another type": (lambda: Tokenizer.train(5), TypeError, "must be a path, a text"),
    "document of another type": (lambda: Tokenizer.train(["a", 5]), TypeError, "document 1 of the corpus is a int"),
    "document with a surrogate": (lambda: Tokenizer.train(["a", "\ud800"]), UnicodeEncodeError, "(at index 1)"),
    "path among texts": (lambda: Tokenizer.train(["a", Path("b")]), TypeError, "document 1"),
    "text among paths": (lambda: Tokenizer.train([Path(__file__), "b"]), TypeError, "item 1 of the corpus is a str"),
    "no such file": (lambda: Tokenizer.train(Path("no such file")), FileNotFoundError, "no such file"),
    "folder": (lambda: Tokenizer.train(Path(__file__).parent), IsADirectoryError, "tests"),
    "broken iterator": (lambda: Tokenizer.train(failing_documents()), RuntimeError, "the source broke"),
    "unknown tie": (lambda: Tokenizer.train(["ab"], tie="random"), ValueError, "tie must be 'hf', 'id' or 'bytes'"),
    "negative frequency": (lambda: Tokenizer.train(["ab"], min_frequency=-1), OverflowError, "negative"),
    "no token length": (lambda: Tokenizer.train(["ab"], max_token_length=0), TrainingError, "max_token_length"),
    "no threads": (lambda: Tokenizer.train(["ab"], num_threads=0), ValueError, "at least 1"),
    "broken progress": (lambda: Tokenizer.train(["ab"], progress=lambda *_: 1 / 0), ZeroDivisionError, ""),
    # Special tokens of a tokenizer
    "empty special token": (lambda: Tokenizer.train(["a"], special_tokens=[""]), SpecialTokenError, "is empty"),
    "special token twice": (lambda: Tokenizer.train(["a"], special_tokens=["<s>", "<s>"]), SpecialTokenError, "twice"),
    "special token that is a byte": (
        lambda: Tokenizer.train(["bc"], special_tokens=["a"]),
        SpecialTokenError,
        "also the ordinary token 97",
    ),
    "special tokens that are a str": (lambda: Tokenizer.train(["a"], special_tokens="<s>"), TypeError, "['<s>']"),
    "special tokens without an order": (
        lambda: Tokenizer.train(["a"], special_tokens={"<s>", "<t>"}),
        TypeError,
        "special_tokens is a set, but their order decides their ids; pass a list",
    ),
    "special tokens of a vocabulary without an order": (
        lambda: Tokenizer.from_tiktoken(rank_file(), pattern="gpt2", special_tokens=frozenset({"<s>"})),
        TypeError,
        "pass a list",
    ),
    "special tokens with ids in training": (
        lambda: Tokenizer.train(["a"], special_tokens={"<s>": 5}),
        TypeError,
        "special_tokens is a mapping, but their order decides their ids here; pass a list",
    ),
    "special tokens with ids": (lambda: build(special_tokens={"<s>": 256}), TypeError, "pass a list"),
    "special token that is a byte of a vocabulary": (
        lambda: build(special_tokens=["a"]),
        SpecialTokenError,
        "also the ordinary token 97",
    ),
    "special token that merges make": (
        lambda: build(BYTES | {256: b"ab"}, [(b"a", b"b")], special_tokens=["ab"]),
        SpecialTokenError,
        "special token 'ab' is also what the merge b'a', b'b' makes",
    ),
    "special token that merges make, not in the vocabulary": (
        lambda: build(merges=[(b"a", b"b")], special_tokens=["ab"]),
        SpecialTokenError,
        "'ab' is also what the merge",
    ),
    "special token of another type": (lambda: Tokenizer.train(["a"], special_tokens=[1]), TypeError, "not int"),
    "special token with a surrogate": (
        lambda: Tokenizer.train(["a"], special_tokens=["\ud800"]),
        UnicodeEncodeError,
        "surrogates not allowed",
    ),
    # Vocabularies
    "missing byte": (lambda: build({i: BYTES[i] for i in range(1, 256)}), VocabularyError, "0x00 is not a token"),
    "empty vocabulary": (lambda: build({}), VocabularyError, "0x00 is not a token"),
    "token twice": (lambda: build(BYTES | {256: b"a"}), VocabularyError, 'both the token "a"'),
    "empty token": (lambda: build(BYTES | {256: b""}), VocabularyError, "256 is empty"),
    "negative token id": (lambda: build(BYTES | {-1: b"ab"}), ValueError, "token id -1 is not in 0..2**24"),
    "huge token id": (lambda: build(BYTES | {2**24: b"ab"}), ValueError, "is not in 0..2**24"),
    "absurd token id": (lambda: build(BYTES | {2**23: b"ab"}), VocabularyError, "absurd for 257 tokens"),
    "token of another type": (lambda: build(BYTES | {256: "ab"}), TypeError, "token 256 must be bytes, not str"),
    "token that is an int": (lambda: build(BYTES | {256: 2}), TypeError, "token 256 must be bytes, not int"),
    "merge of ints": (
        lambda: build(merges=[(97, 98)]),
        TypeError,
        "the left part of merge 0 must be bytes, not int",
    ),
    "merge of str": (
        lambda: build(merges=[(b"a", "b")]),
        TypeError,
        "the right part of merge 0 must be bytes, not str",
    ),
    "merge of one": (lambda: build(merges=[(b"a",)]), TypeError, "merge 0 must be a pair of bytes, not (b'a',)"),
    "merge that is a text": (lambda: build(merges=["ab"]), TypeError, "merge 0 must be a pair of bytes, not 'ab'"),
    "merge of no token": (lambda: build(merges=[(b"ab", b"c")]), VocabularyError, 'merge 0: "ab" is not a token'),
    "merge to no token": (lambda: build(merges=[(b"a", b"b")]), VocabularyError, '"ab" is not a token'),
    "merge twice": (
        lambda: build(BYTES | {256: b"ab"}, merges=[(b"a", b"b")] * 2),
        VocabularyError,
        "merges 0 and 1 are both",
    ),
    "special token on an id in use": (
        lambda: Tokenizer.from_tiktoken(rank_file(), pattern="gpt2", special_tokens={"<s>": 97}),
        VocabularyError,
        "id 97 is both",
    ),
    # Patterns
    "unknown preset": (lambda: build(pattern="gpt-2"), PatternError, "gpt2"),
    "misspelt preset": (lambda: build(pattern="cl100"), PatternError, "cl100k"),
    "unclosed group": (lambda: build(pattern=r"\p{L}+|("), PatternError, "unclosed"),
    "back-reference": (lambda: build(pattern=r"(a)\1"), PatternError, ""),
    "look-behind": (lambda: build(pattern=r"(?<=a)b"), PatternError, ""),
    "empty pattern": (lambda: build(pattern=""), PatternError, "empty"),
    "pattern of another type": (lambda: build(pattern=5), TypeError, "pattern must be a str"),
    # Files
    "load nothing": (lambda: Tokenizer.load("no such file.json"), FileNotFoundError, "no such file.json"),
    "load a folder": (
        lambda: Tokenizer.load(Path(__file__).parent),
        FormatError,
        "the folder holds none of tokenizer.json",
    ),
    "load a source": (lambda: Tokenizer.load(__file__), FormatError, "neither a tokenizer.json, a tekken.json, a rank"),
    "load an unknown rank file": (lambda: Tokenizer.load(rank_file()), FormatError, "from_tiktoken(path, pattern="),
    "save without a format": (lambda: gpt2().save("x.bin"), ValueError, "end it in .json or .tiktoken"),
    "save an unknown format": (lambda: gpt2().save("x.json", format="xml"), ValueError, "cannot tell the format"),
    "save into no folder": (lambda: gpt2().save("no/such/x.json"), FileNotFoundError, "no/such"),
    "save to a folder": (lambda: gpt2().save(".", "tiktoken"), IsADirectoryError, "Is a directory"),
    "save to a device": (lambda: gpt2().save("/dev/null", "tiktoken"), OSError, "not a regular file"),
    "save as gpt2 to a file": (lambda: gpt2().save(rank_file(), "gpt2"), NotADirectoryError, "ranks.tiktoken"),
    "save as gpt2 with another pattern": (
        lambda: builtin("cl100k_base").save("never written", format="gpt2"),
        FormatError,
        "pattern",
    ),
}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def rank_file() -> Path:
    import base64

    lines = [f"{base64.b64encode(bytes([byte])).decode()} {byte}" for byte in range(256)]
    Path("ranks.tiktoken").write_text("\n".join(lines) + "\n")
    return Path("ranks.tiktoken")


@pytest.mark.parametrize("case", CASES)
def test_bad_input(case):
    call, kind, message = CASES[case]
    with pytest.raises(kind) as caught:
        call()
    shown = str(caught.value) + "".join(f" ({note})" for note in getattr(caught.value, "__notes__", ()))
    assert message in shown
    assert type(caught.value).__module__ in {"builtins", "bytepair.errors"}
    assert not Path("never written").exists()


def test_the_values_are_attributes():
    with pytest.raises(TokenIdError) as caught:
        gpt2().decode([1, 2, 99999])
    assert (caught.value.token_id, caught.value.index) == (99999, 2)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, KeyError)
    with pytest.raises(SpecialTokenError) as caught:
        gpt2().encode("ab<|endoftext|>", disallowed_special={"<|endoftext|>"})
    assert (caught.value.token, caught.value.offset) == ("<|endoftext|>", 2)
    with pytest.raises(PatternError) as caught:
        build(pattern=r"\p{L}+|(?=x)")
    assert caught.value.position == 7


def test_every_exception_is_one_of_ours_and_pickles():
    import pickle

    for name in bytepair.errors.__all__:
        kind = getattr(bytepair, name)
        assert issubclass(kind, BytepairError)
        assert kind.__doc__
        assert str(pickle.loads(pickle.dumps(kind("what is wrong")))) == "what is wrong"


# A small tokenizer.json, and ways to damage it: each names the place.
def small_json() -> dict:
    Tokenizer(BYTES | {256: b"ab", 257: b"abc"}, [(b"a", b"b"), (b"ab", b"c")], pattern="gpt2").save("small.json")
    return json.loads(Path("small.json").read_text())


def setting(*path_and_value):
    *path, value = path_and_value

    def damage(tree):
        for key in path[:-1]:
            tree = tree[key]
        tree[path[-1]] = value

    return damage


JSON_CASES = {
    "unigram": (setting("model", "type", "Unigram"), "$.model.type"),
    "dropout": (setting("model", "dropout", 0.1), "$.model.dropout"),
    "normalizer": (setting("normalizer", {"type": "Precompiled"}), "$.normalizer"),
    "unknown key": (setting("model", "surprise", 1), "$.model.surprise"),
    "unknown version": (setting("version", "99.0"), "$.version"),
    "truncation": (setting("truncation", {"max_length": 5}), "$.truncation"),
    "negative id": (setting("model", "vocab", "ab", -1), "$.model.vocab"),
    "absurd id": (setting("model", "vocab", "ab", 4294967295), "$.model.vocab"),
    "id twice": (setting("model", "vocab", "ab", 97), "$.model.vocab"),
    "fraction for an id": (setting("model", "vocab", "ab", 1.5), "$.model.vocab"),
    "merge of unknown tokens": (setting("model", "merges", 0, ["q", "zz"]), "$.model.merges[0]"),
    "merge of three": (setting("model", "merges", 1, ["a", "b", "c"]), "$.model.merges[1]"),
    "word prefix": (setting("model", "continuing_subword_prefix", "##"), "$.model.continuing_subword_prefix"),
    "template": (setting("post_processor", {"type": "TemplateProcessing"}), "$.post_processor"),
    "prefix space": (setting("pre_tokenizer", "add_prefix_space", "yes"), "$.pre_tokenizer.add_prefix_space"),
    "byte fallback decoder": (setting("decoder", {"type": "ByteFallback"}), "$.decoder"),
}


@pytest.mark.parametrize("case", JSON_CASES)
def test_damaged_tokenizer_json(case):
    damage, location = JSON_CASES[case]
    tree = small_json()
    damage(tree)
    Path("damaged.json").write_text(json.dumps(tree))
    with pytest.raises(FormatError, match=re.escape("damaged.json")) as caught:
        Tokenizer.load("damaged.json")
    assert caught.value.location.startswith(location)
    assert caught.value.path == "damaged.json"


def test_half_a_tokenizer_json():
    text = json.dumps(small_json())
    for length in range(0, len(text), 37):
        Path("half.json").write_text(text[:length])
        with pytest.raises(FormatError):
            Tokenizer.load("half.json")


def test_duplicate_keys_are_not_the_last_that_wins():
    text = json.dumps(small_json()).replace('"ab": 256', '"ab": 256, "ab": 300')
    Path("twice.json").write_text(text)
    with pytest.raises(FormatError, match=re.escape("$.model.vocab")):
        Tokenizer.load("twice.json")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("!!!! 256", "line 257"),
        ("YWI 256", "line 257"),
        ("YWI= x", "line 257"),
        ("YWI= -1", "line 257"),
        ("YWI= 97", "line 257"),
        ("YQ== 256", "line 257"),
        (" 256", "line 257"),
        ("YWI=", "line 257"),
        ("YWI= 256 7", "line 257"),
        ("YWI= 99999999", "line 257"),
    ],
)
def test_damaged_rank_file(line, message):
    path = rank_file()
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(FormatError) as caught:
        Tokenizer.from_tiktoken(path, pattern="gpt2")
    assert caught.value.location == message
    assert str(path) in str(caught.value)


def test_saving_keeps_the_old_file_when_it_fails(monkeypatch):
    trained().save("tokenizer.json")
    before = Path("tokenizer.json").read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        gpt2().save("tokenizer.json")
    assert Path("tokenizer.json").read_bytes() == before
    assert list(Path().iterdir()) == [Path("tokenizer.json")]


def test_saving_through_a_link_updates_the_file_it_leads_to():
    Path("there").mkdir()
    Path("link.json").symlink_to("there/tokenizer.json")
    for tokenizer in (gpt2(), trained()):
        tokenizer.save("link.json")
        assert Path("link.json").is_symlink()
        assert Tokenizer.load("there/tokenizer.json") == tokenizer


def test_what_is_no_regular_file_is_not_replaced():
    os.mkfifo("pipe.json")
    with pytest.raises(OSError, match="not a regular file"):
        trained().save("pipe.json")
    assert Path("pipe.json").is_fifo()
    Path("folder/special_tokens_map.json").mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match=re.escape("special_tokens_map.json")):
        trained().save("folder", format="gpt2")
    assert len(list(Path("folder").iterdir())) == 1


def test_what_load_would_prefer_is_not_joined():
    Path("folder").mkdir()
    trained().save("folder/tokenizer.json")
    with pytest.raises(FormatError, match="load would read this file") as caught:
        gpt2().save("folder", format="gpt2")
    assert caught.value.path == "folder/tokenizer.json"
    assert Tokenizer.load("folder") == trained()


def test_no_special_tokens_of_another_tokenizer_stay():
    plain = Tokenizer(BYTES, [], pattern="gpt2")
    for tokenizer in (trained(), plain, trained()):
        tokenizer.save("folder", format="gpt2")
        assert Tokenizer.load("folder") == tokenizer
    assert {path.name for path in Path("folder").iterdir()} == {"vocab.json", "merges.txt", "special_tokens_map.json"}


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt", "special_tokens_map.json"])
def test_the_file_at_fault_is_named(name):
    trained().save("folder", format="gpt2")
    Path("folder", name).write_text("{]")
    with pytest.raises(FormatError) as caught:
        Tokenizer.load("folder")
    assert caught.value.path == f"folder/{name}"


def test_a_pipe_is_read_once():
    import threading

    trained().save("tokenizer.json")
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_bytes(Path("tokenizer.json").read_bytes()))
    writer.start()
    assert Tokenizer.load("pipe") == trained()
    writer.join()


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"tie": "random"}, ValueError),
        ({"min_frequency": -1}, OverflowError),
        ({"max_token_length": 0}, TrainingError),
        ({"num_threads": 0}, ValueError),
        ({"special_tokens": ["a"]}, SpecialTokenError),
        ({"pattern": "("}, PatternError),
        ({"vocab_size": 256}, TrainingError),
    ],
)
def test_arguments_are_checked_before_the_corpus_is_read(options, kind):
    def documents():
        pytest.fail("the corpus was read")
        yield ""

    with pytest.raises(kind):
        Tokenizer.train(documents(), **options)

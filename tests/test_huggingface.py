"""Every public method of `bytepair.huggingface` beside the library that it stands in for, with random arguments."""

from __future__ import annotations

import copy
import json
import pickle
import warnings

import pytest
import tokenizers
from tokenizers import pre_tokenizers, trainers

from bytepair import FormatError, TrainingError
from bytepair import Tokenizer as Native
from bytepair.huggingface import AddedToken, Encoding, Tokenizer
from common import EXAMPLES, stdlib_texts
from test_huggingface_json import FILES, PIECES, SHARED, base, byte_level, changed, file, texts

N_TEXTS = max(EXAMPLES // 5, 60)
# Another file that `tokenizers` counts texts by; and one that does not decode to text.
MORE = {
    "no decoder": {"decoder": None},
    "no post-processor": {"post_processor": None, "pre_tokenizer": byte_level(prefix=True)},
}
COLUMNS = ["ids", "type_ids", "tokens", "offsets", "attention_mask", "special_tokens_mask", "word_ids"]


def source(name: str) -> str:
    return changed(MORE[name]) if name in MORE else file(name)


def both(name: str) -> tuple[Tokenizer, tokenizers.Tokenizer]:
    return Tokenizer.from_str(source(name)), tokenizers.Tokenizer.from_str(source(name))


def columns(encoding: Encoding | tokenizers.Encoding) -> dict:
    return {name: getattr(encoding, name) for name in COLUMNS} | {"length": len(encoding), "repr": repr(encoding)}


def outcome(call) -> object:
    """Return what a call gives, or the type and text of what it raises."""
    try:
        return call()
    except Exception as error:
        return type(error), str(error)


def assert_same(ours, theirs, text) -> None:
    different = {name for name in ours if ours[name] != theirs[name]}
    assert not different, (text, {name: (ours[name], theirs[name]) for name in different})


@pytest.mark.parametrize("name", [*FILES, *MORE])
def test_encodings(name, rng):
    ours, theirs = both(name)
    some = texts(rng, N_TEXTS)
    for add in (True, False):
        expected = theirs.encode_batch(some, add_special_tokens=add)
        for text, our, their in zip(some, ours.encode_batch(some, add_special_tokens=add), expected, strict=True):
            assert_same(columns(our), columns(their), text)
            assert_same(columns(ours.encode(text, add_special_tokens=add)), columns(their), text)
        expected = theirs.encode_batch_fast(some, add_special_tokens=add)
        for text, our, their in zip(some, ours.encode_batch_fast(some, add_special_tokens=add), expected, strict=True):
            assert_same(columns(our), columns(their), text)


@pytest.mark.parametrize("name", ["plain", "template", "Bert", "Roberta", "no post-processor", "NFKD", "flags, NFC"])
def test_positions_in_an_encoding(name, rng):
    ours, theirs = both(name)
    lookups = ["char_to_token", "char_to_word", "token_to_chars", "token_to_word", "token_to_sequence"]
    lookups += ["word_to_tokens", "word_to_chars"]
    for text in texts(rng, N_TEXTS):
        for our, their in [
            (ours.encode(text), theirs.encode(text)),
            (ours.encode_batch_fast([text])[0], theirs.encode_batch_fast([text])[0]),
        ]:
            assert (our.sequence_ids, our.n_sequences) == (their.sequence_ids, their.n_sequences)
            assert our.overflowing == their.overflowing == []
            for lookup in lookups:
                for index in [-1, *range(min(len(text), 40) + 4)]:
                    found = [outcome(lambda: getattr(encoding, lookup)(index)) for encoding in (our, their)]  # noqa: B023
                    assert found[0] == found[1], (text, lookup, index)
            for index in range(3):
                assert our.char_to_token(index, sequence_index=1) == their.char_to_token(index, sequence_index=1)
                assert our.word_to_tokens(index, 1) == their.word_to_tokens(index, 1)


def test_texts_that_a_post_processor_counts_are_not_guessed():
    encoding = Tokenizer.from_str(file("template of many")).encode("a")
    for look in (lambda: encoding.sequence_ids, lambda: encoding.char_to_token(0), lambda: encoding.token_to_chars(0)):
        with pytest.raises(NotImplementedError, match="special_tokens_mask"):
            look()


@pytest.mark.parametrize("name", [*FILES, *MORE])
def test_decoding_and_the_vocabulary(name, rng):
    ours, theirs = both(name)
    size = theirs.get_vocab_size()
    batch = [[rng.randrange(size + 5) for _ in range(rng.randrange(12))] for _ in range(N_TEXTS)]
    batch += [encoding.ids for encoding in theirs.encode_batch(texts(rng, N_TEXTS))]
    for skip in (True, False):
        expected = theirs.decode_batch(batch, skip_special_tokens=skip)
        assert ours.decode_batch(batch, skip_special_tokens=skip) == expected
        assert [ours.decode(ids, skip) for ids in batch] == expected
    assert ours.get_vocab() == theirs.get_vocab()
    assert ours.get_vocab(with_added_tokens=False) == theirs.get_vocab(with_added_tokens=False)
    for with_added in (True, False):
        assert ours.get_vocab_size(with_added) == theirs.get_vocab_size(with_added)
        assert ours.num_special_tokens_to_add(with_added) == theirs.num_special_tokens_to_add(with_added)
    assert [*map(ours.id_to_token, range(size + 3))] == [*map(theirs.id_to_token, range(size + 3))]
    for token in [*PIECES, *rng.sample([*theirs.get_vocab()], 50), "no such token", ""]:
        assert ours.token_to_id(token) == theirs.token_to_id(token)
    our_added, their_added = ours.get_added_tokens_decoder(), theirs.get_added_tokens_decoder()
    assert list(our_added) == list(their_added)
    assert [(repr(token), str(token)) for token in our_added.values()] == [
        (repr(token), str(token)) for token in their_added.values()
    ]
    assert (ours.padding, ours.truncation, ours.encode_special_tokens) == (None, None, theirs.encode_special_tokens)


@pytest.mark.parametrize("name", [*FILES, *MORE])
def test_files(name, tmp_path):
    # What `tokenizers` writes is read, and written as it is there.
    theirs = tokenizers.Tokenizer.from_str(source(name))
    path = tmp_path / "theirs.json"
    theirs.save(str(path))
    ours = Tokenizer.from_file(path)
    assert ours.to_str() == theirs.to_str()
    assert ours.to_str(pretty=True) == theirs.to_str(pretty=True)
    for pretty in (True, False):
        ours.save(tmp_path / "ours.json", pretty)
        theirs.save(str(path), pretty)
        assert (tmp_path / "ours.json").read_bytes() == path.read_bytes()
    again = [Tokenizer.from_buffer(path.read_bytes()), pickle.loads(pickle.dumps(ours)), copy.deepcopy(ours)]
    for other in again:
        assert (other.native, other.to_str()) == (ours.native, ours.to_str())
    assert ours.native == Native.from_huggingface(source(name))


@pytest.mark.parametrize("name", ["gpt2.tokenizer.json", "deepseek_v4.tokenizer.json"])
def test_published_files(name, rng):
    if not (SHARED / name).exists():
        pytest.skip(f"there is no {name} at ../shared/vocabs")
    ours, theirs = Tokenizer.from_file(SHARED / name), tokenizers.Tokenizer.from_file(str(SHARED / name))
    listed = [token.content for token in ours.get_added_tokens_decoder().values()]
    some = texts(rng, N_TEXTS) + [text + rng.choice(listed) + text for text in texts(rng, N_TEXTS)] + stdlib_texts()[:5]
    for text, their in zip(some, theirs.encode_batch(some), strict=True):
        our = ours.encode(text)
        assert_same(columns(our), columns(their), text)
        for skip in (True, False):
            assert ours.decode(our.ids, skip) == theirs.decode(their.ids, skip)
    assert ours.get_vocab() == theirs.get_vocab()
    assert ours.get_vocab_size(False) == theirs.get_vocab_size(False)


# Arguments that are wrong in the same way
WRONG = {
    "a number": lambda it: it.encode(1),
    "bytes": lambda it: it.encode(b"a"),
    "a list": lambda it: it.encode(["a"]),
    "a lone surrogate": lambda it: it.encode("\ud800"),
    "a batch that is a text": lambda it: it.encode_batch("abc"),
    "a batch that is a number": lambda it: it.encode_batch(1),
    "a number in a batch": lambda it: it.encode_batch(["a", 1]),
    "a negative id": lambda it: it.decode([-1]),
    "a huge id": lambda it: it.decode([2**32]),
    "an id alone": lambda it: it.decode(5),
    "a text as ids": lambda it: it.decode("a"),
    "texts as ids": lambda it: it.decode(["a"]),
    "a fraction": lambda it: it.decode([1.5]),
    "ids as a batch": lambda it: it.decode_batch([1]),
    "a negative id to look up": lambda it: it.id_to_token(-1),
    "bytes as a token": lambda it: it.token_to_id(b"a"),
    "no text of a file": lambda it: it.from_str(b"{}"),
    "no bytes of a file": lambda it: it.from_buffer("{}"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments(case):
    ours, theirs = (outcome(lambda: WRONG[case](tokenizer)) for tokenizer in both("plain"))  # noqa: B023
    assert ours == theirs
    assert issubclass(ours[0], TypeError | OverflowError)


def test_what_is_not_here_says_why():
    tokenizer = Tokenizer.from_str(base())
    encoding = tokenizer.encode("a b")
    for here, there in [(tokenizer, tokenizers.Tokenizer), (encoding, tokenizers.Encoding)]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            names = [name for name in dir(there) if not name.startswith("_")]
        for name in names:
            if not hasattr(type(here), name):
                with pytest.raises(AttributeError, match=f"has no '{name}': "):
                    getattr(here, name)
        with pytest.raises(AttributeError, match="has no attribute 'zzz'"):
            here.zzz  # noqa: B018
    for refused in [
        lambda: tokenizer.encode("a", "b"),
        lambda: tokenizer.encode("a", pair="b"),
        lambda: tokenizer.encode(["a"], is_pretokenized=True),
        lambda: tokenizer.encode_batch([("a", "b")]),
        lambda: tokenizer.encode_batch([["a"]], is_pretokenized=True),
        lambda: tokenizer.encode_batch_fast([("a", "b")]),
    ]:
        with pytest.raises(NotImplementedError, match="is not encoded here"):
            refused()
    with pytest.raises(TypeError, match="made from a file"):
        Tokenizer()
    with pytest.raises(FormatError, match=r"\$\.truncation"):
        Tokenizer.from_str(changed({"truncation": {"max_length": 3}}))


def test_built_in_vocabularies(rng):
    ours = Tokenizer.from_pretrained("gpt2")
    theirs = tokenizers.Tokenizer.from_str(ours.to_str())
    for text in texts(rng, 50):
        assert_same(columns(ours.encode(text)), columns(theirs.encode(text)), text)
    assert Tokenizer.from_native(ours.native).native == Native.from_pretrained("gpt2")


# Training


@pytest.mark.parametrize("special_tokens", [[], ["<s>", "</s>"]])
@pytest.mark.parametrize("min_frequency", [0, 3])
def test_training(special_tokens, min_frequency):
    untrained = changed({"added_tokens": []})
    ours, theirs = Tokenizer.from_str(untrained), tokenizers.Tokenizer.from_str(untrained)
    documents = [*stdlib_texts()[:12], "a <s> b", "<s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        min_frequency=min_frequency,
        special_tokens=special_tokens,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    ours.train_from_iterator([documents[:3], documents[3:]], trainer)
    theirs.train_from_iterator(documents, trainer)
    assert ours.get_vocab() == theirs.get_vocab()
    assert json.loads(ours.to_str())["model"]["merges"] == json.loads(theirs.to_str())["model"]["merges"]
    for text in documents:
        assert_same(columns(ours.encode(text)), columns(theirs.encode(text)), text)


def test_training_that_would_differ_is_refused():
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    cases = [
        (base(), None, "pass a trainer"),
        (file("NFC"), trainers.BpeTrainer(initial_alphabet=alphabet), "normalises"),
        (base(), trainers.BpeTrainer(), "initial_alphabet"),
        (base(), trainers.BpeTrainer(initial_alphabet=alphabet, limit_alphabet=9), "limit_alphabet"),
        (base(), trainers.BpeTrainer(initial_alphabet=alphabet, special_tokens=["a"]), "single bytes"),
        (base(), trainers.BpeTrainer(initial_alphabet=alphabet), "has added tokens"),
    ]
    for source_, trainer, message in cases:
        with pytest.raises(TrainingError, match=message):
            Tokenizer.from_str(source_).train_from_iterator(["a"], trainer)


def test_added_tokens_are_plain_descriptions():
    assert AddedToken("x", special=True) == AddedToken("x", special=True) != AddedToken("x")
    assert repr(AddedToken("x")) == repr(tokenizers.AddedToken("x"))

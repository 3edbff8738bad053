"""A tokenizer that learns more keeps its ids and merges; one that is cut is the one that training smaller gives."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bytepair import Tokenizer, TrainingError, VocabularyError, reference
from bytepair.cli import main
from common import BUILTIN, SEED, builtin, mixed_text, stdlib_texts
from peers import assert_same_merges
from test_training import END, TIES, small_corpora, train

OLD = stdlib_texts()[:20]
NEW = ["".join(random.Random(SEED).choices(["хліб", " мед", " сонце", "\n", " low", "er", "123"], k=4_000)), END]


def assert_extends(more: Tokenizer, base: Tokenizer) -> None:
    """All tokens of `base` have their ids in `more`, and its merges come first."""
    assert more.vocab.items() >= base.vocab.items()
    assert more.merges[: len(base.merges)] == base.merges
    assert more.special_tokens == base.special_tokens
    learned = more.merges[len(base.merges) :]
    assert [more.token_to_id(left + right) for left, right in learned] == list(range(base.n_vocab, more.n_vocab))
    assert more.unreachable_tokens == []


def assert_encodes_by_definition(tokenizer: Tokenizer, text: str) -> None:
    """The text's tokens are those of plain merging, in the order of all merges."""
    plain = reference.ReferenceTokenizer(tokenizer.merges)
    pieces = reference.pretokens(text, reference.GPT2_PATTERN)
    expected = [token for piece in pieces for token in plain.encode_pretoken(piece)]
    assert [tokenizer.id_to_bytes(token_id) for token_id in tokenizer.encode(text)] == expected


@given(old=small_corpora, new=small_corpora, data=st.data())
@pytest.mark.parametrize("tie", TIES)
def test_extending_is_the_definition_with_the_old_merges_first(tie, old, new, data):
    specials = data.draw(st.sampled_from([(), (END,), ("aa", END)]))
    # Where nothing is left of the old corpus but special tokens, there is no training.
    assume(any(text for document in old for text in reference.split_specials(document, specials)[::2]))
    base = train(old, data.draw(st.integers(0, 12)), tie=data.draw(st.sampled_from(TIES)), special_tokens=specials)
    lengths = st.none() | st.integers(1, 6)
    limits = {"min_frequency": data.draw(st.integers(0, 4)), "max_token_length": data.draw(lengths)}
    stretches = [text for document in new for text in reference.split_specials(document, specials)[::2]]
    assume(any(stretches))
    more = base.extend(new, base.vocab_size + 20, tie=tie, **limits)
    n_merges = len(base.merges) + 20
    assert_same_merges(more.merges, reference.train(stretches, n_merges, tie=tie, start=base.merges, **limits))
    assert_extends(more, base)
    for text in new:
        assert_encodes_by_definition(more, text)


@given(documents=small_corpora, n_first=st.integers(0, 30), n_more=st.integers(0, 30))
@pytest.mark.parametrize("tie", TIES)
def test_extending_with_the_same_corpus_is_going_on(tie, documents, n_first, n_more):
    base = train(documents, n_first, tie=tie)
    more = base.extend(documents, base.vocab_size + n_more, tie=tie)
    # Training that stopped early goes no further either.
    whole = train(documents, len(base.merges) + n_more, tie=tie)
    assert more == whole
    assert more.training_report == whole.training_report


@pytest.mark.parametrize("name", BUILTIN)
def test_published_vocabularies_are_extended(name):
    base = builtin(name)
    more = base.extend([*NEW, *OLD], base.vocab_size + 500, tie="id")
    assert_extends(more, base)
    assert more.vocab_size == base.vocab_size + 500
    for text in [NEW[0][:2_000], OLD[0][:5_000], mixed_text(random.Random(SEED))]:
        assert more.decode(more.encode(text)) == text
        assert more.count(text) <= base.count(text)
    assert more.count(NEW[0]) < base.count(NEW[0])
    assert more.name is None
    assert more.training_report.n_tokens[len(base.merges)] == base.count(NEW[0]) + sum(map(base.count, OLD))
    assert more.training_report.n_tokens[-1] == more.count(NEW[0]) + sum(map(more.count, OLD))


def test_an_extended_gpt2_encodes_by_definition():
    more = builtin("gpt2").extend(NEW, 50_400)
    assert more.special_tokens == {END: 50256}
    assert more.token_to_id(" сонце") >= 50257
    assert_encodes_by_definition(more, NEW[0][:3_000] + OLD[0][:3_000])


def test_an_extended_tokenizer_is_saved_loaded_and_extended_again(tmp_path):
    base = train(OLD, 200, special_tokens=[END])
    more = base.extend(NEW, 480)
    more.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert loaded == more
    again = loaded.extend(OLD, 500)
    assert_extends(again, more)
    assert again.special_tokens == {END: 456}


def test_the_verb_extends(tmp_path, capsys):
    corpus, output = tmp_path / "corpus.txt", tmp_path / "t.json"
    corpus.write_text(NEW[0])
    arguments = ["train", str(corpus), "-o", str(output), "--extend", "gpt2"]
    assert main([*arguments, "-v", "50300"]) == 0
    assert Tokenizer.load(output) == builtin("gpt2").extend(corpus, 50_300)
    assert main([*arguments, "-v", "50300", "-p", "cl100k"]) == 1
    assert "leave --pattern and --special-token out" in capsys.readouterr().err
    assert main([*arguments, "-v", "300"]) == 1
    assert "vocab_size=300 is less than the 50257 tokens" in capsys.readouterr().err


def test_the_report_of_an_extension_counts_all_tokens():
    base = train(OLD, 300, special_tokens=[END])
    more = base.extend(NEW, 600)
    ids = more.encode(NEW[0])
    counts = [0] * more.n_vocab
    for token_id in ids:
        counts[token_id] += 1
    assert more.training_report.token_counts == tuple(counts)
    assert more.training_report.tokens[base.special_tokens[END]] is None


def test_what_cannot_be_extended_is_refused_by_name(tmp_path):
    corpus = ["some text"]
    single = {byte: bytes([byte]) for byte in range(256)}
    lost = Tokenizer(single | {256: b"ab"}, [], pattern="gpt2")
    with pytest.raises(VocabularyError, match=r'cannot be extended .*: no merges lead to the token "ab" \(id 256\)'):
        lost.extend(corpus, 300)
    late = Tokenizer(single | {256: b"abc", 257: b"bc"}, [(b"a", b"bc"), (b"b", b"c")], pattern="gpt2")
    with pytest.raises(VocabularyError, match=r'the token "abc" \(id 256\) is made from one that is merged later'):
        late.extend(corpus, 300)
    gpt2 = builtin("gpt2")
    with pytest.raises(TrainingError, match="vocab_size=50256 is less than the 50257 tokens"):
        gpt2.extend(corpus, 50_256)
    with pytest.raises(TrainingError, match="the corpus is empty"):
        gpt2.extend([END], 50_300)
    with pytest.raises(TypeError, match="vocab_size must be an int, not str"):
        gpt2.extend(corpus, "50300")
    gpt2.save(tmp_path / "tokenizer.json")
    normalising = json.loads((tmp_path / "tokenizer.json").read_text()) | {"normalizer": {"type": "NFC"}}
    with pytest.raises(VocabularyError, match="it changes a text before it is split"):
        Tokenizer.from_huggingface(json.dumps(normalising)).extend(corpus, 50_300)


@given(documents=small_corpora, n_large=st.integers(0, 60), data=st.data())
@pytest.mark.parametrize("tie", TIES)
def test_fewer_tokens_are_those_of_training_smaller(tie, documents, n_large, data):
    specials = data.draw(st.sampled_from([(), (END,), ("<a>", END, "<b>")]))
    options = {"special_tokens": specials, "tie": tie, "min_frequency": data.draw(st.integers(0, 3))}
    large = train(documents, n_large, **options)
    n_small = data.draw(st.integers(0, len(large.merges)))
    small = large.with_vocab_size(256 + len(specials) + n_small)
    assert small == train(documents, n_small, **options)
    assert small.special_tokens == {text: 256 + n_small + index for index, text in enumerate(specials)}


def test_fewer_tokens_of_sources():
    large = train(stdlib_texts(), 3_000, special_tokens=[END])
    for n_merges in (0, 1, 999, 2_999, 3_000):
        assert large.with_vocab_size(257 + n_merges) == train(stdlib_texts(), n_merges, special_tokens=[END])


def test_an_extension_is_taken_back_as_far_as_it_goes():
    base = train(OLD, 100, special_tokens=[END])
    more = base.extend(NEW, 500)
    assert more.with_vocab_size(400) == base.extend(NEW, 400)
    assert more.with_vocab_size(base.vocab_size) == base
    with pytest.raises(VocabularyError, match=r"the special token \"<\|endoftext\|>\" \(id 356\) is not last"):
        more.with_vocab_size(base.vocab_size - 1)


def test_what_cannot_be_cut_is_refused_by_name():
    gpt2 = builtin("gpt2")
    assert gpt2.with_vocab_size(1_000).special_tokens == {END: 999}
    assert gpt2.with_vocab_size(50_257) == gpt2
    assert gpt2.with_vocab_size(50_257).name == "gpt2"
    assert gpt2.with_vocab_size(1_000).name is None
    with pytest.raises(VocabularyError, match="cannot reduce 50257 tokens to 60000: there are fewer"):
        gpt2.with_vocab_size(60_000)
    with pytest.raises(VocabularyError, match="cannot reduce 50257 tokens to 256: 257 of them are no merges"):
        gpt2.with_vocab_size(256)
    with pytest.raises(VocabularyError, match="vocab_size=-1 is negative"):
        gpt2.with_vocab_size(-1)
    with pytest.raises(VocabularyError, match="no token has the id 100275"):
        builtin("cl100k_base").with_vocab_size(100_000)
    single = {byte: bytes([byte]) for byte in range(256)}
    shuffled = Tokenizer(single | {256: b"bc", 257: b"ab"}, [(b"a", b"b"), (b"b", b"c")], pattern="gpt2")
    with pytest.raises(VocabularyError, match='"ab" has the id 257, but is not the merge whose turn it is'):
        shuffled.with_vocab_size(257)

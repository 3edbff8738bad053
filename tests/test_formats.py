"""Files: what is written reads back equal, here and in the libraries that others use."""

from __future__ import annotations

import base64
import json
import pickle
from pathlib import Path

import pytest
from tokenizers import Tokenizer as HuggingFace

from bytepair import FormatError, MissingByteError, Tokenizer, VocabularyError
from common import BUILTIN, builtin, mixed_text, stdlib_texts, trained

BYTES = {byte: bytes([byte]) for byte in range(256)}


@pytest.mark.parametrize("name", ["gpt2", "trained"])
def test_vocab_json_and_merges_txt(name, tmp_path):
    tokenizer = trained() if name == "trained" else builtin(name)
    tokenizer.save(tmp_path / "folder", format="gpt2")
    files = {path.name for path in (tmp_path / "folder").iterdir()}
    assert files == {"vocab.json", "merges.txt", "special_tokens_map.json"}
    assert Tokenizer.load(tmp_path / "folder") == tokenizer
    named = Tokenizer.from_gpt2(tmp_path / "folder/vocab.json", tmp_path / "folder/merges.txt")
    assert named == tokenizer


def test_special_tokens_can_be_named_for_vocab_json(tmp_path):
    tokenizer = trained()
    tokenizer.save(tmp_path, format="gpt2")
    (tmp_path / "special_tokens_map.json").unlink()
    specials = list(tokenizer.special_tokens)
    assert Tokenizer.from_gpt2(tmp_path / "vocab.json", tmp_path / "merges.txt", special_tokens=specials) == tokenizer


def test_rank_files_need_their_pattern(tmp_path):
    path = tmp_path / "ranks.tiktoken"
    trained().save(path)
    same = Tokenizer.from_tiktoken(path, pattern="gpt2", special_tokens=trained().special_tokens)
    assert same == trained()
    appended = Tokenizer.from_tiktoken(path, pattern="gpt2", special_tokens=list(trained().special_tokens))
    assert appended == trained()
    assert Tokenizer.from_tiktoken(path, pattern="o200k") != trained()


@pytest.mark.parametrize("name", [*BUILTIN, "trained"])
def test_hugging_face_reads_what_we_write(name, tmp_path, rng):
    tokenizer = trained() if name == "trained" else builtin(name)
    tokenizer.save(tmp_path / "tokenizer.json")
    theirs = HuggingFace.from_file(str(tmp_path / "tokenizer.json"))
    assert theirs.get_vocab_size() == tokenizer.vocab_size
    texts = [mixed_text(rng) for _ in range(300)] + stdlib_texts()[:10]
    ours = tokenizer.encode_batch(texts, allowed_special="all")
    for text, ids, encoding in zip(texts, ours, theirs.encode_batch_fast(texts), strict=True):
        assert ids == encoding.ids, text
    for text, ids in zip(texts, ours, strict=True):
        assert theirs.decode(ids, skip_special_tokens=False) == text
    for special, token_id in tokenizer.special_tokens.items():
        assert theirs.token_to_id(special) == token_id


def test_writing_is_deterministic(tmp_path):
    for format_, name in [("tokenizer.json", "a.json"), ("tiktoken", "a.tiktoken")]:
        trained().save(tmp_path / name)
        first = (tmp_path / name).read_bytes()
        trained().save(tmp_path / name, format=format_)
        assert (tmp_path / name).read_bytes() == first


def test_content_decides_the_format_not_the_name(tmp_path):
    trained().save(tmp_path / "model.bin", format="tokenizer.json")
    assert Tokenizer.load(tmp_path / "model.bin") == trained()
    builtin("p50k_base").save(tmp_path / "ranks.json", format="tiktoken")
    assert Tokenizer.load(tmp_path / "ranks.json") == builtin("p50k_base")
    trained().save(tmp_path / "gpt2", format="gpt2")
    with pytest.raises(FormatError, match="from_gpt2"):
        Tokenizer.load(tmp_path / "gpt2" / "vocab.json")


def test_a_folder_with_a_tokenizer_json(tmp_path):
    trained().save(tmp_path / "tokenizer.json")
    assert Tokenizer.load(tmp_path) == trained()


def test_json_as_a_string(tmp_path):
    trained().save(tmp_path / "tokenizer.json")
    assert Tokenizer.from_huggingface((tmp_path / "tokenizer.json").read_text()) == trained()


def test_unreachable_tokens_survive(tmp_path):
    vocab = BYTES | {256: b"ab", 257: b"bc", 258: b"abc"}
    merges = [(b"a", b"b"), (b"b", b"c"), (b"a", b"bc")]
    tokenizer = Tokenizer(vocab, merges, pattern="gpt2")
    assert tokenizer.unreachable_tokens == [258]
    assert tokenizer.encode("abc") == [256, 99]
    tokenizer.save(tmp_path / "tokenizer.json")
    assert Tokenizer.load(tmp_path / "tokenizer.json") == tokenizer
    assert HuggingFace.from_file(str(tmp_path / "tokenizer.json")).encode("abc").ids == [256, 99]
    with pytest.raises(FormatError, match="a rank file cannot hold"):
        tokenizer.save(tmp_path / "ranks.tiktoken")
    whole = rank_tokenizer(tmp_path, [b"ab", b"bc", b"abcd", b"xabcdx"])
    assert whole.unreachable_tokens == [258, 259]
    assert whole.encode("abcd") == [258]
    whole.save(tmp_path / "whole.json")
    assert json.loads((tmp_path / "whole.json").read_text())["model"]["ignore_merges"] is True
    assert Tokenizer.load(tmp_path / "whole.json") == whole
    assert HuggingFace.from_file(str(tmp_path / "whole.json")).encode("abcd").ids == [258]


def rank_tokenizer(folder: Path, tokens: list[bytes]) -> Tokenizer:
    import base64

    lines = [f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate([*BYTES.values(), *tokens])]
    (folder / "ranks.tiktoken").write_text("".join(lines))
    return Tokenizer.from_tiktoken(folder / "ranks.tiktoken", pattern="gpt2")


def test_equality_is_by_what_a_tokenizer_does(tmp_path):
    from_ranks = rank_tokenizer(tmp_path, [b"ab", b"abc"])
    from_list = Tokenizer(BYTES | {256: b"ab", 257: b"abc"}, [(b"a", b"b"), (b"ab", b"c")], pattern="gpt2")
    assert from_ranks == from_list
    assert hash(from_ranks) == hash(from_list)
    other_pattern = Tokenizer(from_list.vocab, from_list.merges, pattern="o200k")
    other_specials = Tokenizer(from_list.vocab, from_list.merges, pattern="gpt2", special_tokens=["<s>"])
    other_order = Tokenizer(BYTES | {256: b"abc", 257: b"ab"}, [(b"a", b"b"), (b"ab", b"c")], pattern="gpt2")
    assert len({from_list, other_pattern, other_specials, other_order}) == 4


def test_a_vocabulary_may_merge_a_token_before_its_parts(tmp_path):
    # As 81 tokens of Llama 3: "abc" is a + bc, and bc comes later.
    tokens = [*BYTES.values(), b"ab", b"abcd", b"cd"]
    lines = b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens))
    (tmp_path / "ranks").write_bytes(lines)
    tokenizer = Tokenizer.from_tiktoken(tmp_path / "ranks", pattern="gpt2")
    assert tokenizer.merges == [(b"a", b"b"), (b"ab", b"cd"), (b"c", b"d")]
    assert pickle.loads(pickle.dumps(tokenizer)) == tokenizer


def test_files_may_lack_single_bytes(tmp_path):
    vocab = {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4, "<x>": 5}
    (tmp_path / "vocab.json").write_text(json.dumps(vocab))
    (tmp_path / "merges.txt").write_text("a b\nĠ ab\n")
    (tmp_path / "special_tokens_map.json").write_text('{"eos_token": "<x>"}')
    tokenizer = Tokenizer.load(tmp_path)
    assert tokenizer.encode("ab abba") == [3, 4, 1, 0]
    assert tokenizer.encode("ab<x> ab", allowed_special="all") == [3, 5, 4]
    for call in [tokenizer.encode, tokenizer.count, tokenizer.encode_to_numpy]:
        with pytest.raises(
            MissingByteError, match="the byte 0xC3 at byte offset 3 is no token: the vocabulary lacks 253"
        ) as info:
            call("ab é<x>")
        assert (info.value.byte, info.value.offset) == (0xC3, 3)
    with pytest.raises(MissingByteError) as info:
        tokenizer.encode_batch(["ab", "abx"])
    assert info.value.__notes__ == ["at index 1"]
    assert pickle.loads(pickle.dumps(tokenizer)) == tokenizer
    again = pickle.loads(pickle.dumps(info.value))
    assert (str(again), again.byte, again.offset) == (str(info.value), ord("x"), 2)
    tokenizer.save(tmp_path / "tokenizer.json")
    assert Tokenizer.load(tmp_path / "tokenizer.json") == tokenizer
    # Hugging Face drops the byte without a word; on all other texts its ids are the same.
    theirs = HuggingFace.from_file(str(tmp_path / "tokenizer.json"))
    assert theirs.encode("ab abba").ids == [3, 4, 1, 0]
    assert theirs.encode("ab é").ids == theirs.encode("ab ").ids
    with pytest.raises(FormatError, match="must hold every byte, and this vocabulary lacks 0x00"):
        tokenizer.save(tmp_path / "ranks.tiktoken")
    with pytest.raises(VocabularyError, match="every byte must be one"):
        Tokenizer({0: b"a"}, [], pattern="gpt2")

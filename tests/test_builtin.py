"""The vocabularies that come with the package are the published ones."""

from __future__ import annotations

import hashlib

import pytest

from bytepair import Tokenizer, VocabularyError

PUBLISHED = {
    "r50k_base": "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
    "p50k_base": "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}

SPECIAL_TOKENS = {
    "gpt2": {"<|endoftext|>": 50256},
    "r50k_base": {"<|endoftext|>": 50256},
    "p50k_base": {"<|endoftext|>": 50256},
    "cl100k_base": {
        "<|endoftext|>": 100257,
        "<|fim_prefix|>": 100258,
        "<|fim_middle|>": 100259,
        "<|fim_suffix|>": 100260,
        "<|endofprompt|>": 100276,
    },
    "o200k_base": {"<|endoftext|>": 199999, "<|endofprompt|>": 200018},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_rank_file_is_rebuilt_byte_for_byte(name, tmp_path):
    path = tmp_path / f"{name}.tiktoken"
    tokenizer = Tokenizer.from_pretrained(name)
    tokenizer.save(path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == PUBLISHED[name]
    loaded = Tokenizer.load(path)
    assert loaded == tokenizer
    assert loaded.name == name


@pytest.mark.parametrize("name", SPECIAL_TOKENS)
def test_special_tokens(name):
    tokenizer = Tokenizer.from_pretrained(name)
    assert tokenizer.special_tokens == SPECIAL_TOKENS[name]
    assert tokenizer.name == name
    assert tokenizer.unreachable_tokens == []


@pytest.mark.parametrize(
    ("name", "pattern"), [("gpt2", "gpt2"), ("p50k_base", "gpt2"), ("cl100k_base", "cl100k"), ("o200k_base", "o200k")]
)
def test_patterns(name, pattern):
    assert Tokenizer.from_pretrained(name).pattern == pattern


def test_gpt2_is_another_name_for_r50k():
    assert Tokenizer.from_pretrained("gpt2") == Tokenizer.from_pretrained("r50k_base")


def test_an_unknown_name_gives_the_nearest():
    with pytest.raises(VocabularyError, match="did you mean 'cl100k_base'"):
        Tokenizer.from_pretrained("cl100k")
    with pytest.raises(VocabularyError, match="built in are gpt2, r50k_base"):
        Tokenizer.from_pretrained("bert")

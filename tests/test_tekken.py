"""Mistral's tekken.json: ids as tiktoken gives them when it is fed as mistral-common feeds it.

`make test-models` compares with mistral-common itself, on the file that it carries. What is refused is in the tests of
the core.
"""

from __future__ import annotations

import base64
import json
import pickle
from pathlib import Path

import pytest
import tiktoken

from bytepair import FormatError, Tokenizer
from common import mixed_text, stdlib_texts, trained
from peers import TEKKEN_PATTERN, assert_same_ids

N_SPECIAL = 30
N_CUT = 100


def tekken(path: Path) -> tiktoken.Encoding:
    """Write a tekken.json of the tokens of a tokenizer trained here, and return what mistral-common makes of it."""
    special = {text.encode() for text in trained().special_tokens}
    tokens = [token for token in trained().vocab.values() if token not in special]
    tokens = sorted(tokens, key=lambda token: (len(token) > 1, token if len(token) == 1 else b""))
    vocab = [
        {"rank": rank, "token_bytes": base64.b64encode(token).decode(), "token_str": None}
        for rank, token in enumerate(tokens)
    ]
    config = {
        "pattern": TEKKEN_PATTERN,
        "num_vocab_tokens": len(tokens),
        "default_vocab_size": len(tokens) - N_CUT + N_SPECIAL,
        "default_num_special_tokens": N_SPECIAL,
        "version": "v3",
    }
    path.write_text(json.dumps({"config": config, "vocab": vocab}))
    ranks = {token: rank for rank, token in enumerate(tokens[:-N_CUT])}
    return tiktoken.Encoding("tekken", pat_str=TEKKEN_PATTERN, mergeable_ranks=ranks, special_tokens={})


def test_ids_are_those_of_tiktoken_after_the_special_tokens(tmp_path, rng):
    theirs = tekken(tmp_path / "tekken.json")
    ours = Tokenizer.load(tmp_path / "tekken.json")
    texts = [*(mixed_text(rng) for _ in range(3_000)), *stdlib_texts()[:30]]
    expected = [[token_id + N_SPECIAL for token_id in theirs.encode_ordinary(text)] for text in texts]
    assert_same_ids(texts, ours.encode_batch(texts), expected)
    assert ours.vocab_size == theirs.n_vocab + N_SPECIAL
    assert list(ours.special_tokens.items())[::10] == [("<unk>", 0), ("[IMG]", 10), ("<SPECIAL_20>", 20)]
    assert ours.encode("<s>[INST]", allowed_special="all") == [1, 3]


def test_a_folder_may_hold_one_and_it_converts(tmp_path):
    tekken(tmp_path / "tekken.json")
    ours = Tokenizer.load(tmp_path)
    assert pickle.loads(pickle.dumps(ours)) == ours
    ours.save(tmp_path / "tokenizer.json")
    assert Tokenizer.load(tmp_path / "tokenizer.json") == ours
    text = (tmp_path / "tekken.json").read_text()
    (tmp_path / "bad.json").write_text(text.replace('"num_vocab_tokens": 2998', '"num_vocab_tokens": 5'))
    with pytest.raises(FormatError, match="num_vocab_tokens: the file says 5 tokens"):
        Tokenizer.load(tmp_path / "bad.json")

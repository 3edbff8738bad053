"""The libraries that results are compared with, each brought to the same vocabulary without a network."""

from __future__ import annotations

import base64
import functools
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from unittest import mock

import rustbpe
import tiktoken
import tokenizers
from tiktoken_ext import openai_public
from tokenizers import decoders, models, pre_tokenizers, trainers

import bytepair
from bytepair.reference import GPT2_PATTERN, hugging_face_order
from common import builtin

Pair = tuple[bytes, bytes]

# Two published patterns that tiktoken does not ship: of Llama 3 (meta-llama/llama-models, tokenizer.py) and of Qwen 2
# (its tokenizer.json; the two differ in how they group digits only).
LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
QWEN2_PATTERN = LLAMA3_PATTERN.replace(r"\p{N}{1,3}", r"\p{N}")

# Of Mistral, from the tekken.json in mistral-common.
TEKKEN_PATTERN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


# Encoding


@functools.cache
def tiktoken_encoding(name: str) -> tiktoken.Encoding:
    """An encoding as tiktoken itself defines it, its rank file, which it would download, taken from our vocabulary.

    tests/test_builtin.py shows that the ranks are the published ones.
    """
    ranks = ordinary_tokens(builtin({"p50k_edit": "p50k_base", "o200k_harmony": "o200k_base"}.get(name, name)))
    loaders = dict.fromkeys(["load_tiktoken_bpe", "data_gym_to_mergeable_bpe_ranks"], lambda *_, **__: ranks)
    with mock.patch.multiple(openai_public, **loaders):
        return tiktoken.Encoding(**openai_public.ENCODING_CONSTRUCTORS[name]())


def tiktoken_from(tokenizer: bytepair.Tokenizer, pattern: str) -> tiktoken.Encoding:
    """Give tiktoken the ranks of a tokenizer, and a pattern in its own words."""
    ranks = ordinary_tokens(tokenizer)
    return tiktoken.Encoding("test", pat_str=pattern, mergeable_ranks=ranks, special_tokens=tokenizer.special_tokens)


def tiktoken_from_file(path: Path, pattern: str) -> tiktoken.Encoding:
    """An encoding of a rank file and a pattern, without special tokens."""
    lines = path.read_bytes().splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, lines)}
    return tiktoken.Encoding(path.stem, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


def ordinary_tokens(tokenizer: bytepair.Tokenizer) -> dict[bytes, int]:
    """The tokens that are not special, with their ids."""
    special_ids = set(tokenizer.special_tokens.values())
    return {token: token_id for token_id, token in tokenizer.vocab.items() if token_id not in special_ids}


def hugging_face(tokenizer: bytepair.Tokenizer) -> tokenizers.Tokenizer:
    """What Hugging Face's `tokenizers` makes of our tokenizer.json."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        tokenizer.save(path)
        return tokenizers.Tokenizer.from_file(str(path))


def hugging_face_ids(peer: tokenizers.Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """The ids of texts; special tokens in them are always parsed, which we do for ``allowed_special="all"``."""
    ids = []
    for part in batches(texts, 10_000):  # An `Encoding` holds far more than its ids.
        ids += [encoding.ids for encoding in peer.encode_batch_fast(part, add_special_tokens=False)]
    return ids


def batches(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def assert_same_ids(texts: Sequence[str], ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]) -> None:
    """Fail with the shortest text whose ids differ."""
    assert len(texts) == len(ours) == len(theirs)
    different = [trio for trio in zip(texts, ours, theirs, strict=True) if trio[1] != trio[2]]
    if different:
        text, our_ids, their_ids = min(different, key=lambda trio: len(trio[0]))
        at = next((i for i, (a, b) in enumerate(zip(our_ids, their_ids, strict=False)) if a != b), -1)
        shown = f"{text[:200]!r}: ours {our_ids[max(at - 3, 0) : at + 9]}, theirs {their_ids[max(at - 3, 0) : at + 9]}"
        raise AssertionError(f"{len(different)} of {len(texts)} texts differ; at id {at} of {shown}")


# Training


def hugging_face_trained(
    documents: Iterable[str],
    n_merges: int,
    *,
    min_frequency: int = 0,
    pre_tokenizer: pre_tokenizers.PreTokenizer | None = None,
    special_tokens: Sequence[str] = (),
    ignore_merges: bool = False,
) -> tokenizers.Tokenizer:
    """Train with Hugging Face's trainer, as its users do for byte-level BPE: with all 256 bytes, on whole documents."""
    tokenizer = tokenizers.Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizer or pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + n_merges + len(special_tokens),
        min_frequency=min_frequency,
        special_tokens=list(special_tokens),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    return tokenizer


def hugging_face_merges(documents: Iterable[str], n_merges: int, *, min_frequency: int = 0) -> list[Pair]:
    """The merges that Hugging Face's trainer learns, in order."""
    tokenizer = hugging_face_trained(documents, n_merges, min_frequency=min_frequency)
    pairs = json.loads(tokenizer.to_str())["model"]["merges"]
    byte_of = gpt2_alphabet()
    return [tuple(bytes(byte_of[char] for char in token) for token in pair) for pair in pairs]


def gpt2_alphabet() -> dict[str, int]:
    """Which byte each character of a tokenizer.json stands for."""
    alphabet = {}
    for order, (byte,) in enumerate(hugging_face_order()):
        alphabet[chr(byte) if order < 188 else chr(256 + order - 188)] = byte
    return alphabet


def rustbpe_merges(documents: Iterable[str], n_merges: int, *, pattern: str = GPT2_PATTERN) -> list[Pair]:
    """The merges that rustbpe learns, in order."""
    tokenizer = rustbpe.Tokenizer()
    tokenizer.train_from_iterator(iter(documents), 256 + n_merges, pattern=pattern)
    return merges_of_tokens([token for token, _ in tokenizer.get_mergeable_ranks()][256:])


def merges_of_tokens(tokens: Sequence[bytes]) -> list[Pair]:
    """Find the pair that made each token: its bytes, merged by all earlier merges, are the two."""
    merges: list[Pair] = []
    ranks: dict[Pair, int] = {}
    for token in tokens:
        parts = [token[i : i + 1] for i in range(len(token))]
        while len(parts) > 2:
            at = min(range(len(parts) - 1), key=lambda i: ranks.get((parts[i], parts[i + 1]), len(ranks)))
            assert (parts[at], parts[at + 1]) in ranks, f"no earlier merges make {token}"
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        left, right = parts
        ranks[left, right] = len(merges)
        merges.append((left, right))
    return merges


def assert_same_merges(ours: Sequence[Pair], theirs: Sequence[Pair]) -> None:
    """Fail with the first merge that differs."""
    for index, (our, their) in enumerate(zip(ours, theirs, strict=False)):
        assert our == their, f"merge {index} of {len(ours)} is {our}, not {their}"
    assert len(ours) == len(theirs)

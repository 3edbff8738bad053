"""Ids are those of tiktoken and of Hugging Face's tokenizers: on every character, mixed scripts and real sources."""

from __future__ import annotations

import functools
import random

import pytest
from tokenizers import AddedToken, Regex, pre_tokenizers
from tokenizers import Tokenizer as HuggingFaceTokenizer

import bytepair
from bytepair import Tokenizer
from common import BUILTIN, EXAMPLES, SEED, assigned_characters, mixed_text, stdlib_texts, trained
from common import builtin as our_builtin
from peers import (
    LLAMA3_PATTERN,
    QWEN2_PATTERN,
    assert_same_ids,
    batches,
    hugging_face,
    hugging_face_ids,
    hugging_face_trained,
    tiktoken_encoding,
    tiktoken_from,
)

N_MIXED = max(20_000, 20 * EXAMPLES)

# A code point between letters, doubled after a space, before a contraction, and among line ends.
CONTEXTS = ["a{0}b", " {0}{0} 1", "{0}'s", "\n{0} \n{0}"]

# The presets; "llama3" is another name for "cl100k_newlines_first".
PRESETS = [
    *["gpt2", "gpt2_digits1", "gpt2_digits2", "gpt2_digits3"],
    *["cl100k", "cl100k_digits1", "cl100k_digits2", "cl100k_newlines_first", "llama3", "qwen2", "nanochat"],
    *["o200k", "o200k_digits1", "o200k_digits2", "deepseek_v3"],
]

# Published patterns, as tiktoken has them or could have.
TIKTOKEN_PATTERNS = {
    "gpt2": tiktoken_encoding("gpt2")._pat_str,
    "cl100k": tiktoken_encoding("cl100k_base")._pat_str,
    "o200k": tiktoken_encoding("o200k_base")._pat_str,
    "llama3": LLAMA3_PATTERN,
    "qwen2": QWEN2_PATTERN,
}


def mixed_texts(rng: random.Random, number: int) -> list[str]:
    return [mixed_text(rng) for _ in range(number)]


def with_specials(rng: random.Random, texts: list[str], specials: list[str]) -> list[str]:
    """Put special tokens, whole and cut short, anywhere in texts."""
    planted = []
    for text in texts:
        for _ in range(rng.randint(1, 3)):
            special = rng.choice(specials)
            at = rng.randint(0, len(text))
            text = text[:at] + rng.choice([special, special, special[:-1], special + " "]) + text[at:]
        planted.append(text)
    return planted


def tiktoken_ids(name: str, texts: list[str]) -> list[list[int]]:
    return list(map(tiktoken_encoding(name).encode_ordinary, texts))


def test_there_are_as_many_characters_as_unicode_16_has():
    # Its 154,998 characters, 65 control codes and 137,468 code points for private use.
    assert len(assigned_characters()) == 292_531
    assert bytepair.UNICODE_VERSION == "16.0.0"


@pytest.mark.parametrize("name", BUILTIN)
def test_every_character_as_tiktoken(name):
    characters = assigned_characters()
    for context in CONTEXTS:
        for part in batches(characters, 100_000):
            texts = [context.format(character) for character in part]
            assert_same_ids(texts, our_builtin(name).encode_batch(texts), tiktoken_ids(name, texts))


@pytest.mark.parametrize("name", ["gpt2", "cl100k_base", "o200k_base"])
def test_every_character_as_hugging_face(name):
    # One text for each character again, but all contexts in one: `tokenizers` takes long for each text.
    peer = hugging_face(our_builtin(name))
    for part in batches(assigned_characters(), 50_000):
        texts = ["".join(CONTEXTS).format(character) for character in part]
        assert_same_ids(texts, our_builtin(name).encode_batch(texts), hugging_face_ids(peer, texts))


@pytest.mark.parametrize("name", BUILTIN)
def test_mixed_scripts_as_tiktoken(name, rng):
    texts = mixed_texts(rng, N_MIXED)
    assert_same_ids(texts, our_builtin(name).encode_batch(texts), tiktoken_ids(name, texts))


@pytest.mark.parametrize("name", BUILTIN)
def test_sources_as_tiktoken(name):
    texts = stdlib_texts()
    assert_same_ids(texts, our_builtin(name).encode_batch(texts), tiktoken_ids(name, texts))


@pytest.mark.parametrize("name", BUILTIN)
def test_special_tokens_as_tiktoken(name, rng):
    ours, theirs = our_builtin(name), tiktoken_encoding(name)
    specials = list(ours.special_tokens)
    texts = with_specials(rng, mixed_texts(rng, 5_000), specials)
    expected = [theirs.encode(text, allowed_special="all") for text in texts]
    assert_same_ids(texts, ours.encode_batch(texts, allowed_special="all"), expected)
    allowed = set(specials[:1])
    expected = [theirs.encode(text, allowed_special=allowed, disallowed_special=()) for text in texts]
    assert_same_ids(texts, ours.encode_batch(texts, allowed_special=allowed), expected)
    assert_same_ids(texts, ours.encode_batch(texts), tiktoken_ids(name, texts))


def test_every_token_as_tiktoken():
    for name in BUILTIN:
        tokens = [token for token in our_builtin(name).token_bytes() if token is not None]
        texts = [token.decode() for token in tokens if b"\xef\xbf\xbd" not in token and is_utf8(token)]
        assert_same_ids(texts, our_builtin(name).encode_batch(texts), tiktoken_ids(name, texts))


def is_utf8(token: bytes) -> bool:
    return token.decode(errors="replace").encode() == token


@pytest.mark.parametrize("name", [*BUILTIN, "trained here"])
def test_our_json_in_hugging_face(name, rng):
    ours = trained() if name == "trained here" else our_builtin(name)
    peer = hugging_face(ours)
    plain = mixed_texts(rng, N_MIXED // 2)
    for texts in [plain, stdlib_texts(), with_specials(rng, plain[:3_000], list(ours.special_tokens))]:
        assert_same_ids(texts, ours.encode_batch(texts, allowed_special="all"), hugging_face_ids(peer, texts))
    assert peer.get_vocab_size() == len(ours.vocab)
    assert peer.decode(peer.encode(plain[0]).ids, skip_special_tokens=False) == plain[0]


# The split


@functools.cache
def seamless() -> Tokenizer:
    """A tokenizer with tokens across all seams that a pattern could make, so that ids tell where a text was split.

    Those of a vocabulary trained with a pattern may not: no token of cl100k_base goes on after a line end, and so its
    ids are the same for both published variants of its pattern.
    """
    rng = random.Random(SEED)
    return Tokenizer.train([*mixed_texts(rng, 4_000), *white_texts(rng, 4_000)], 6_000, pattern="(?s:.+)")


def white_texts(rng: random.Random, number: int) -> list[str]:
    """Texts of what the rules for white space, line ends, digits and contractions look at."""
    return ["".join(rng.choices("   \t\n\n\r\u3000\u0085a.B/1'sſ", k=rng.randint(1, 14))) for _ in range(number)]


def split_texts(rng: random.Random) -> list[str]:
    return [*mixed_texts(rng, N_MIXED // 4), *white_texts(rng, N_MIXED // 4), *stdlib_texts()[:20]]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_splits_as_hugging_face(preset, rng):
    ours = Tokenizer(seamless().vocab, seamless().merges, pattern=preset)
    texts = split_texts(rng)
    assert_same_ids(texts, ours.encode_batch(texts), hugging_face_ids(hugging_face(ours), texts))


@pytest.mark.parametrize("preset", TIKTOKEN_PATTERNS)
def test_presets_split_as_tiktoken(preset, rng):
    vocab, merges = seamless().vocab, seamless().merges
    ours = Tokenizer(vocab, merges, pattern=preset)
    theirs = tiktoken_from(ours, TIKTOKEN_PATTERNS[preset])
    texts = [*split_texts(rng), *map("".join(CONTEXTS).format, assigned_characters())]
    expected = list(map(theirs.encode_ordinary, texts))
    assert_same_ids(texts, ours.encode_batch(texts), expected)
    # Given as a regex, the same pattern is known, or runs in the engine for any pattern.
    assert_same_ids(texts, Tokenizer(vocab, merges, pattern=TIKTOKEN_PATTERNS[preset]).encode_batch(texts), expected)


def test_ids_tell_presets_apart(rng):
    # Or else the two tests above would show nothing.
    texts = split_texts(rng)
    ids = [Tokenizer(seamless().vocab, seamless().merges, pattern=preset).encode_batch(texts) for preset in PRESETS]
    alike = {(a, b) for i, a in enumerate(PRESETS) for j, b in enumerate(PRESETS[:i]) if ids[i] == ids[j]}
    assert alike == {("llama3", "cl100k_newlines_first")}


# Files that `tokenizers` wrote


def split(pattern: str) -> pre_tokenizers.PreTokenizer:
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), byte_level])


# How files that `tokenizers` writes split, and whether they look whole pretokens up.
THEIRS = {
    "byte level": (None, False),
    "as Llama 3": (split(LLAMA3_PATTERN), True),
    "as Qwen 2": (split(QWEN2_PATTERN), False),
    "a pattern of one's own": (split(r"[a-z]+|\s*[0-9]{1,2}|_"), False),
}


@pytest.mark.parametrize("case", THEIRS)
def test_their_json_here(case, rng, tmp_path):
    pre_tokenizer, ignore_merges = THEIRS[case]
    specials = ["<|endoftext|>", "<|end|>", "<|endoftext|>!"]
    peer = hugging_face_trained(
        stdlib_texts()[:40], 2_000, pre_tokenizer=pre_tokenizer, special_tokens=specials, ignore_merges=ignore_merges
    )
    peer.add_tokens([AddedToken("added", normalized=False)])
    peer.save(str(tmp_path / "tokenizer.json"))
    ours = Tokenizer.load(tmp_path / "tokenizer.json")
    assert set(ours.special_tokens) >= set(specials)
    plain = mixed_texts(rng, 5_000)
    for texts in [plain, stdlib_texts()[40:], with_specials(rng, plain, [*specials, "added"])]:
        assert_same_ids(texts, ours.encode_batch(texts, allowed_special="all"), hugging_face_ids(peer, texts))
    # And back: what we write of it, `tokenizers` reads alike.
    again = hugging_face(ours)
    assert_same_ids(texts, hugging_face_ids(again, texts), hugging_face_ids(peer, texts))
    assert isinstance(again, HuggingFaceTokenizer)

"""The tokenizer inside a GGUF file: its ids, and headers that are cut, lie or say what is not modelled.

The files are written by the package `gguf`; a real one is in tests/models.
"""

from __future__ import annotations

import contextlib
import functools
import random
import struct
import subprocess
import sys
from pathlib import Path

import gguf
import pytest
from tokenizers import Regex, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as HuggingFace

import bytepair
from bytepair import FormatError, MissingByteError, Tokenizer
from common import mixed_text, stdlib_texts, trained
from peers import LLAMA3_PATTERN, QWEN2_PATTERN, assert_same_ids, gpt2_alphabet, hugging_face_ids

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED = range(1, 6)


def spelt(token: bytes) -> str:
    """Spell a token as vocab.json does."""
    char_of = {byte: char for char, byte in gpt2_alphabet().items()}
    return "".join(char_of[byte] for byte in token)


@functools.cache
def vocabulary(lacking: bytes = b"") -> tuple[list[str], list[str]]:
    """Tokens and merges as a GGUF file spells them, of a tokenizer trained here, without some bytes."""
    tokenizer = trained()
    special = {text.encode() for text in tokenizer.special_tokens}
    left_out = {bytes([byte]) for byte in lacking}
    keep = [token for token in tokenizer.vocab.values() if token not in special | left_out]
    tokens = [spelt(token) for token in keep if not any(byte in token for byte in left_out)]
    merges = [pair for pair in tokenizer.merges if not any(byte in pair[0] + pair[1] for byte in left_out)]
    return tokens, [f"{spelt(left)} {spelt(right)}" for left, right in merges]


def write(path: Path, tokens: list[str], merges: list[str], pre: str | None = "gpt-2", **more: object) -> Path:
    """Write a GGUF file with a tensor; `more` are further fields of the tokenizer, or others in the place of these."""
    fields = {"model": "gpt2", "pre": pre, "tokens": tokens, "merges": merges}
    fields |= {"token_type": [NORMAL] * len(tokens or []), "eos_token_id": 0, "add_bos_token": False} | more
    writer = gguf.GGUFWriter(path, "llama")
    for name, value in fields.items():
        key = f"tokenizer.ggml.{name}"
        if isinstance(value, list):
            writer.add_array(key, value)
        elif isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif value is not None:
            writer.add_string(key, str(value))
    import numpy as np

    writer.add_tensor("weights", np.zeros(1000, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def peer(tokens: list[str], merges: list[str], split: list[object], *, ignore_merges: bool) -> HuggingFace:
    """What `tokenizers` makes of the same tokens and merges, and of a split in its own words."""
    vocab = {token: index for index, token in enumerate(tokens)}
    pairs = [tuple(merge.split(" ")) for merge in merges]
    tokenizer = HuggingFace(models.BPE(vocab, pairs, ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def byte_level(use_regex: bool) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def regex(pattern: str) -> list[object]:
    return [pre_tokenizers.Split(Regex(pattern), "isolated"), byte_level(False)]


# The name of a split, what it is in Hugging Face's words, and whether whole pretokens are looked up.
SPLITS = {
    "gpt-2": ([byte_level(True)], False),
    "smollm": ([pre_tokenizers.Digits(individual_digits=True), byte_level(True)], False),
    "llama-bpe": (regex(LLAMA3_PATTERN), True),
    "qwen2": (regex(QWEN2_PATTERN), False),
}


@pytest.mark.parametrize("pre", SPLITS)
def test_ids_are_those_of_hugging_face(pre, tmp_path, rng):
    tokens, merges = vocabulary()
    # Without some merges there are tokens that only a whole pretoken can become.
    merges = [merge for index, merge in enumerate(merges) if index % 10]
    split, ignore_merges = SPLITS[pre]
    ours = Tokenizer.load(write(tmp_path / "model.gguf", tokens, merges, pre))
    theirs = peer(tokens, merges, split, ignore_merges=ignore_merges)
    texts = [*(mixed_text(rng) for _ in range(1_000)), *stdlib_texts()[:10]]
    assert_same_ids(texts, ours.encode_batch(texts), hugging_face_ids(theirs, texts))


def test_files_may_lack_single_bytes(tmp_path, rng):
    lacking = b"\x00\xc0q"
    tokens, merges = vocabulary(lacking)
    ours = Tokenizer.load(write(tmp_path / "model.gguf", tokens, merges))
    theirs = peer(tokens, merges, SPLITS["gpt-2"][0], ignore_merges=False)
    texts = [mixed_text(rng).replace("q", "p").replace("\0", "") for _ in range(1_000)]
    assert_same_ids(texts, ours.encode_batch(texts), hugging_face_ids(theirs, texts))
    with pytest.raises(MissingByteError, match=r"0x71 at byte offset 3 .* lacks 3 of the 256 bytes"):
        ours.encode("no q")
    assert ours.decode_bytes(ours.encode(b"\xff\xfe!")) == b"\xff\xfe!"


def test_types_of_tokens(tmp_path):
    tokens, merges = vocabulary()
    extra = {"<|end|>": CONTROL, "<unk>": UNKNOWN, "<think>": USER_DEFINED, "[PAD5]": UNUSED, "": UNUSED}
    types = [NORMAL] * len(tokens) + list(extra.values())
    n = len(tokens)
    ours = Tokenizer.load(write(tmp_path / "model.gguf", [*tokens, *extra], merges, token_type=types))
    assert ours.special_tokens == {"<|end|>": n, "<unk>": n + 1}
    assert ours.encode("<think>") == [n + 2]
    assert ours.encode("<|end|>", allowed_special="all") == [n]
    assert len(ours.encode("<|end|>")) > 1
    assert len(ours.encode("[PAD5]", allowed_special="all")) > 1
    assert ours.token_bytes()[n:] == [b"<|end|>", b"<unk>", b"<think>"]


def test_tensors_are_not_read(tmp_path):
    tokens, merges = vocabulary()
    whole = write(tmp_path / "model.gguf", tokens, merges)
    header = whole.read_bytes()[:-3_900]
    (tmp_path / "cut").write_bytes(header)
    assert Tokenizer.load(tmp_path / "cut") == Tokenizer.load(whole)


# What is wrong, the arguments that make it so, and what the error says.
REFUSED = {
    "another model": ({"model": "llama"}, 'ggml.model: the model "llama" is not modelled, only byte-level BPE'),
    "no model": ({"model": None}, "ggml.model: the field is missing"),
    "no split": ({"pre": None}, "ggml.pre: the file does not say how text is split"),
    "an unknown split": ({"pre": "gpt-9"}, 'ggml.pre: "gpt-9" is not known; known are gpt-2, .*llama-bpe'),
    "the default split": ({"pre": "default"}, 'ggml.pre: "default" is not known'),
    "no tokens": ({"tokens": None}, "ggml.tokens: the field is missing"),
    "tokens of numbers": ({"tokens": [1, 2]}, "ggml.tokens: must be an array of strings"),
    "a token for tokens": ({"tokens": "a"}, "ggml.tokens: must be an array"),
    "types of strings": ({"token_type": ["1"]}, "ggml.token_type: must be an array of integers"),
    "too few types": ({"token_type": [1]}, "ggml.token_type: 1 types do not go with"),
    "a type of byte": ({"token_type": [6, 1, 1]}, r"ggml.token_type\[0\]: type 6"),
    "an unknown type": ({"token_type": [0, 1, 1]}, r"ggml.token_type\[0\]: type 0"),
    "a token twice": ({"tokens": ["a", "b", "ab", "a"]}, r'ggml.tokens\[3\]: "a" is token 0 already'),
    "an empty token": ({"tokens": ["a", "b", "ab", ""]}, r"ggml.tokens\[3\]: the token is empty"),
    "a foreign token": ({"tokens": ["a", "b", "ab", "世"]}, r"ggml.tokens\[3\]: .*which is not in the byte alphabet"),
    "a merge of three": ({"merges": ["a b c"]}, r"ggml.merges\[0\]: .* is not two tokens"),
    "a merge of one": ({"merges": ["a b", "ab"]}, r"ggml.merges\[1\]: .* is not two tokens"),
    "an unknown part": ({"merges": ["a z"]}, r'ggml.merges\[0\]: "z" is not a token'),
    "an unknown result": ({"merges": ["b a"]}, r'ggml.merges\[0\]: "ba" is not a token'),
    "a merge twice": ({"merges": ["a b", "a b"]}, r"ggml.merges\[1\]: .* is there twice"),
    "a prefix space": ({"add_space_prefix": True}, "ggml.add_space_prefix: not modelled"),
    "a normalizer": ({"precompiled_charsmap": "x"}, "ggml.precompiled_charsmap: not modelled"),
    "an unknown field": ({"new_option": 5}, "ggml.new_option: not modelled"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_modelled_is_refused(case, tmp_path):
    change, message = REFUSED[case]
    tokens = change.get("tokens") or ["a", "b", "ab"]
    arguments = {"tokens": tokens, "merges": ["a b"], "token_type": [NORMAL] * len(tokens)} | change
    path = write(tmp_path / "model.gguf", **arguments)
    with pytest.raises(FormatError, match=message) as info:
        Tokenizer.load(path)
    assert info.value.path == str(path)
    assert info.value.location.startswith("tokenizer.ggml.")


def test_a_header_that_is_cut_anywhere_is_refused(tmp_path):
    path = write(tmp_path / "model.gguf", ["a", "b", "ab"], ["a b"])
    data = path.read_bytes()
    end = data.index(b"weights")
    for length in range(4, end - 8):
        path.write_bytes(data[:length])
        with pytest.raises(FormatError):
            Tokenizer.load(path)


def test_random_faults_are_read_or_refused(tmp_path):
    path = write(tmp_path / "model.gguf", ["a", "b", "ab"], ["a b"])
    data = path.read_bytes()[:900]
    rng = random.Random(5)
    for _ in range(500):
        faulty = bytearray(data)
        for _ in range(rng.randint(1, 3)):
            faulty[rng.randrange(4, len(faulty))] = rng.choice([0, 1, 9, 0x7F, 0xFF, rng.randrange(256)])
        path.write_bytes(faulty)
        with contextlib.suppress(FormatError):
            Tokenizer.load(path)


def string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def field(name: bytes, kind: int, value: bytes) -> bytes:
    return string(name) + struct.pack("<I", kind) + value


def array(kind: int, length: int, values: bytes) -> bytes:
    return struct.pack("<IQ", kind, length) + values


def header(*fields: bytes, version: int = 3, n_fields: int | None = None) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, 0, len(fields) if n_fields is None else n_fields) + b"".join(fields)


HUGE = 2**62
LIES = {
    "no header": (b"GGUF", "byte 4: the file ends"),
    "an unknown version": (header(version=9), "version 9"),
    "many fields": (header(n_fields=HUGE), "4,611,686,018,427,387,904 fields, more than the limit"),
    "one field too many": (header(n_fields=1), "the file ends before"),
    "a long name": (header(struct.pack("<Q", HUGE)), "the file ends before"),
    "a long text": (header(field(b"x", 8, struct.pack("<Q", HUGE))), "the file ends before"),
    "a long array": (header(field(b"x", 9, array(4, HUGE, b""))), "more than 16,777,216 values"),
    "an array past the end": (header(field(b"x", 9, array(4, 2**20, b"1234"))), "the file ends before"),
    "texts past the end": (header(field(b"x", 9, array(8, 2**20, string(b"a")))), "the file ends before"),
    "a long text in an array": (header(field(b"x", 9, array(8, 1, struct.pack("<Q", HUGE)))), "the file ends before"),
    "many long arrays": (header(*[field(b"%d" % i, 9, array(0, 2**23, bytes(2**23))) for i in range(3)]), "16,777,216"),
    "nested arrays": (header(field(b"x", 9, array(9, 1, b"") * 5000)), "an array of arrays"),
    "an unknown type": (header(field(b"x", 99, b"1234")), "99"),
    "an unknown type in an array": (header(field(b"x", 9, array(99, 1, b"1234"))), "99"),
    "a field twice": (header(field(b"x", 4, b"1234"), field(b"x", 4, b"1234")), "Duplicate x"),
    "a name that is not UTF-8": (header(field(b"\xff", 4, b"1234")), "utf-8"),
    "a text that is not UTF-8": (header(field(b"x", 9, array(8, 1, string(b"a\xff")))), "not valid UTF-8"),
}


@pytest.mark.parametrize("case", LIES)
def test_headers_that_lie_are_refused_at_once(case, tmp_path):
    data, message = LIES[case]
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    # In a process of its own: neither memory nor time for what the header only says.
    code = f"""
import resource
import bytepair, bytepair._gguf
held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
try:
    bytepair.Tokenizer.load({str(path)!r})
except bytepair.FormatError as error:
    print(error)
assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held < 200_000
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert message in result.stdout


def test_without_the_package_the_message_says_what_to_install(tmp_path, monkeypatch):
    path = write(tmp_path / "model.gguf", ["a", "b", "ab"], ["a b"])
    Tokenizer.load(path)
    for module in ("_gguf", "_gguf_reader"):
        monkeypatch.delitem(sys.modules, f"bytepair.{module}")
        monkeypatch.delattr(bytepair, module)
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'bytepair\[weights\]'"):
        Tokenizer.load(path)

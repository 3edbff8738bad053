"""Every field of a `tokenizer.json` that is modelled, beside the library that defines it; every other field, refused.

The files are made from one small vocabulary trained here, each with some changes. `BYTEPAIR_PARITY=full` looks longer.
"""

from __future__ import annotations

import functools
import json
import os
import pickle
import random
import unicodedata
from pathlib import Path

import pytest
import tokenizers

import bytepair
from bytepair import FormatError, Tokenizer
from common import EXAMPLES, SEED, assigned_characters, mixed_text, stdlib_texts
from peers import assert_same_ids, hugging_face_ids

FULL = os.environ.get("BYTEPAIR_PARITY") == "full"
N_TEXTS = 20_000 if FULL else max(EXAMPLES, 300)
SHARED = Path(__file__).parents[1] / ".." / "shared" / "vocabs"


# The special tokens of the small vocabulary, and an ordinary one.
IDS = {"<s>": 2498, "</s>": 2499, "a": 97}


@functools.cache
def base() -> str:
    """A small vocabulary with merges across all that a split could cut, so that ids tell where a text was split."""
    rng = random.Random(SEED)
    texts = [*(mixed_text(rng) for _ in range(2_000)), *stdlib_texts()[:10]]
    seamless = Tokenizer.train(texts, 2_498, pattern="(?s:.+)", special_tokens=())
    return Tokenizer(seamless.vocab, seamless.merges, pattern="gpt2", special_tokens=list(IDS)[:2])._to_huggingface()


def added(content: str, **flags: bool) -> dict:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False} | flags
    return {"content": content, **flags}


def byte_level(prefix: bool = False, regex: bool = True, trim: bool = True) -> dict:
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": trim, "use_regex": regex}


def splits(*steps: dict, last: dict | None = None) -> dict:
    return {"type": "Sequence", "pretokenizers": [*steps, last or byte_level(regex=False)]}


def split(pattern: str, behavior: str = "Isolated", invert: bool = False, kind: str = "Regex") -> dict:
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def replace(pattern: str, content: str, kind: str = "String") -> dict:
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def template(single: str, pair: str = "$A $B", tokens: dict[str, list[str]] | None = None) -> dict:
    tokens = tokens or {"<s>": ["<s>"], "</s>": ["</s>"]}

    def part(name: str) -> dict:
        name, _, type_id = name.partition(":")
        kind = {"$A": "A", "$B": "B"}.get(name)
        inner = {"id": kind or name, "type_id": int(type_id or 0)}
        return {"Sequence" if kind else "SpecialToken": inner}

    return {
        "type": "TemplateProcessing",
        "single": [part(name) for name in single.split()],
        "pair": [part(name) for name in pair.split()],
        "special_tokens": {
            name: {"id": name, "ids": [IDS[token] for token in listed], "tokens": listed}
            for name, listed in tokens.items()
        },
    }


def sequence(key: str, *steps: dict) -> dict:
    return {"type": "Sequence", key: list(steps)}


NFC, NFD, NFKC, NFKD, LOWER, ACCENTS, NMT = (
    {"type": kind} for kind in ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt"]
)
STRIP = {"type": "Strip", "strip_left": True, "strip_right": True}
PREPEND = {"type": "Prepend", "prepend": "▁x"}
CLS_SEP = {"sep": ["</s>", IDS["</s>"]], "cls": ["<s>", IDS["<s>"]]}
FLAGGED = [
    added("<mask>", lstrip=True, special=True),
    added("<right>", rstrip=True),
    added("<both>", lstrip=True, rstrip=True, normalized=True),
    added("word", single_word=True),
    added("WORD", single_word=True, normalized=True),
    added("é一", normalized=True),
    added("<s>ome"),
    added("x</s>", normalized=True),
]

# Name: what is changed in the file, by key; "added" are further added tokens.
FILES: dict[str, dict] = {
    "plain": {},
    "ignore merges": {"ignore_merges": True},
    "prefix space": {"pre_tokenizer": byte_level(prefix=True)},
    "prefix space, no regex": {"pre_tokenizer": byte_level(prefix=True, regex=False)},
    "no regex": {"pre_tokenizer": byte_level(regex=False), "post_processor": None},
    "NFC": {"normalizer": NFC},
    "NFD": {"normalizer": NFD},
    "NFKC": {"normalizer": NFKC, "pre_tokenizer": byte_level(regex=False)},
    "NFKD": {"normalizer": NFKD, "pre_tokenizer": byte_level(regex=False)},
    "lowercase": {"normalizer": LOWER, "added": FLAGGED},
    "strip accents": {"normalizer": ACCENTS},
    "decompose and strip accents": {"normalizer": sequence("normalizers", NFD, ACCENTS, LOWER, STRIP)},
    "Nmt": {"normalizer": NMT},
    "strip": {"normalizer": STRIP, "pre_tokenizer": byte_level(prefix=True)},
    "strip left": {"normalizer": {**STRIP, "strip_right": False}},
    "strip right": {"normalizer": {**STRIP, "strip_left": False}, "added": FLAGGED},
    "prepend": {"normalizer": PREPEND, "added": [token for token in FLAGGED if not token["normalized"]]},
    "replace": {"normalizer": sequence("normalizers", replace("a", "ös"), replace(" +", " ", "Regex"), PREPEND)},
    "replace by nothing": {"normalizer": replace(r"[\r\n]+", "", "Regex"), "pre_tokenizer": byte_level(prefix=True)},
    "all normalizers": {"normalizer": sequence("normalizers", NMT, NFKC, replace("e", "é"), LOWER, STRIP, PREPEND)},
    "flags": {"added": FLAGGED},
    "flags, prefix space": {"added": FLAGGED, "pre_tokenizer": byte_level(prefix=True)},
    "flags, NFC": {"added": FLAGGED, "normalizer": NFC},
    "flags, NFKD and lowercase": {"added": FLAGGED[:6], "normalizer": sequence("normalizers", NFKD, LOWER)},
    "two passes": {"added": FLAGGED[6:]},
    "removed": {"pre_tokenizer": splits(split(" ", "Removed", kind="String"), last=byte_level(prefix=True))},
    "removed but": {"pre_tokenizer": splits(split(r"\p{L}+|[0-9]", "Removed", invert=True))},
    "merged with previous": {"pre_tokenizer": splits(split("[ .,]", "MergedWithPrevious"), last=byte_level())},
    "merged with next": {"pre_tokenizer": splits(split(r"\s", "MergedWithNext"), last=byte_level(prefix=True))},
    "contiguous": {"pre_tokenizer": splits(split("[a-m ]", "Contiguous"), split("n|e", "Isolated"))},
    "inverted": {
        "pre_tokenizer": splits(split("[a-m ]", "Contiguous", True), split(r"\p{L}", "MergedWithNext", invert=True))
    },
    "inverted, previous": {"pre_tokenizer": splits(split(r"[^ ]", "MergedWithPrevious", invert=True))},
    "digits": {"pre_tokenizer": splits({"type": "Digits", "individual_digits": True}, last=byte_level(prefix=True))},
    "runs of digits": {"pre_tokenizer": splits({"type": "Digits", "individual_digits": False})},
    "punctuation": {"pre_tokenizer": splits({"type": "Punctuation", "behavior": "Isolated"})},
    "punctuation removed": {"pre_tokenizer": splits({"type": "Punctuation", "behavior": "Removed"})},
    "punctuation, contiguous": {"pre_tokenizer": splits({"type": "Punctuation", "behavior": "Contiguous"})},
    "whitespace": {"pre_tokenizer": splits({"type": "Whitespace"}, last=byte_level(prefix=True))},
    "whitespace split": {"pre_tokenizer": splits({"type": "WhitespaceSplit"})},
    "Bert's": {"pre_tokenizer": splits({"type": "BertPreTokenizer"})},
    "all steps": {
        "pre_tokenizer": splits(
            {"type": "Digits", "individual_digits": True},
            sequence("pretokenizers", {"type": "Punctuation"}, split("[aeiou]+", "MergedWithPrevious")),
            last=byte_level(prefix=True),
        ),
        "normalizer": NFC,
        "added": FLAGGED,
    },
    "template": {"post_processor": template("<s> $A:1 </s>:2", "<s> $A </s> $B:1 </s>:1")},
    "template of many": {
        "post_processor": sequence(
            "processors",
            byte_level(prefix=True),
            template("X $A:3 X:7", tokens={"X": ["<s>", "</s>", "a"]}),
            byte_level(prefix=False, trim=True),
        )
    },
    "Bert": {"post_processor": {"type": "BertProcessing", **CLS_SEP}, "normalizer": STRIP},
    "Bert, trimmed": {
        "post_processor": sequence("processors", {"type": "BertProcessing", **CLS_SEP}, byte_level(prefix=True)),
        "normalizer": STRIP,
        "pre_tokenizer": byte_level(prefix=True),
    },
    "Roberta": {
        "post_processor": {"type": "RobertaProcessing", **CLS_SEP, "trim_offsets": True, "add_prefix_space": True},
        "pre_tokenizer": byte_level(prefix=True),
        "added": FLAGGED,
    },
    "Roberta, untrimmed": {
        "post_processor": {"type": "RobertaProcessing", **CLS_SEP, "trim_offsets": False, "add_prefix_space": False}
    },
    "trimmed": {"post_processor": byte_level(prefix=True), "normalizer": NFKD},
    "decoders": {"decoder": sequence("decoders", byte_level(), {"type": "Fuse"})},
}


@functools.cache
def file(name: str) -> str:
    return changed(FILES[name])


def changed(changes: dict) -> str:
    """The file of the small vocabulary with changes."""
    data = json.loads(base())
    changes = dict(changes)
    data["pre_tokenizer"] = byte_level()
    for token in changes.pop("added", []):
        vocab, listed = data["model"]["vocab"], data["added_tokens"]
        ids = [*vocab.values(), *(token["id"] for token in listed)]
        listed.append({"id": vocab.get(token["content"], max(ids) + 1), **token})
    for key, value in changes.items():
        (data["model"] if key in data["model"] else data)[key] = value
    return json.dumps(data)


@functools.cache
def ours(name: str) -> Tokenizer:
    return Tokenizer.from_huggingface(file(name))


@functools.cache
def theirs(name: str) -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_str(file(name))


PIECES = [
    "<mask>",
    "<right>",
    "<both>",
    "word",
    "WORD",
    "Word",
    "é一",
    "e\u0301一",
    "É一",
    "<s>",
    "</s>",
    "<s>ome",
    "x</s>",
]
EDGES = ["", " ", "  ", "\n", "\t ", "\u3000", "\u00a0", "\x1c", "▁"]


def texts(rng: random.Random, number: int) -> list[str]:
    """Mixed scripts, random code points, white space at the ends, and added tokens among them."""
    made = [*EDGES, *PIECES]
    while len(made) < number:
        parts = []
        for _ in range(rng.randint(1, 4)):
            kind = rng.random()
            if kind < 0.45:
                parts.append(mixed_text(rng, 4))
            elif kind < 0.6:
                parts.append("".join(map(code_point, (rng.randrange(0x110000 - 0x800) for _ in range(3)))))
            else:
                parts.append(rng.choice(EDGES) + rng.choice(PIECES) + rng.choice(EDGES))
        made.append(rng.choice(EDGES) + "".join(parts) + rng.choice(EDGES))
    return made


def code_point(number: int) -> str:
    return chr(number if number < 0xD800 else number + 0x800)


@pytest.mark.parametrize("name", FILES)
def test_ids(name, rng):
    some = texts(rng, N_TEXTS)
    assert_same_ids(some, ours(name).encode_batch(some, allowed_special="all"), hugging_face_ids(theirs(name), some))


@pytest.mark.parametrize("name", FILES)
def test_what_is_written_is_read_alike(name, rng, tmp_path):
    tokenizer = ours(name)
    tokenizer.save(tmp_path / "tokenizer.json")
    again = Tokenizer.load(tmp_path / "tokenizer.json")
    assert (again, again.fingerprint, hash(again)) == (tokenizer, tokenizer.fingerprint, hash(tokenizer))
    assert pickle.loads(pickle.dumps(tokenizer)) == tokenizer
    peer = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    some = texts(rng, 200)
    for text, encoding in zip(some, theirs(name).encode_batch(some), strict=True):
        written = peer.encode(text)
        assert (written.ids, written.offsets, written.type_ids) == (encoding.ids, encoding.offsets, encoding.type_ids)
        assert peer.decode(written.ids, False) == theirs(name).decode(encoding.ids, False)


def test_each_file_is_a_tokenizer_of_its_own():
    # Whatever changes an id or a token that is added must show in the fingerprint.
    alike = {"plain", "decoders"}
    prints = {name: ours(name).fingerprint for name in FILES if name not in alike}
    assert len(set(prints.values())) == len(prints)
    assert ours("plain") == ours("decoders")


@pytest.mark.parametrize("name", FILES)
def test_counts_batches_and_decoding(name, rng):
    tokenizer, peer = ours(name), theirs(name)
    some = texts(rng, 200)
    ids = [tokenizer.encode(text) for text in some]
    assert ids == tokenizer.encode_batch(some, num_threads=3)
    assert [tokenizer.count(text) for text in some] == [len(each) for each in ids]
    assert tokenizer.count(some[-1], limit=len(ids[-1])) == len(ids[-1])
    assert not ids[-1] or tokenizer.count(some[-1], limit=len(ids[-1]) - 1) is None
    # Decoding gives the text as it was normalised, and as they give it.
    found = tokenizer.encode_batch(some, allowed_special="all")
    assert tokenizer.decode_batch(found) == [peer.decode(each, skip_special_tokens=False) for each in found]
    # Bytes that are not UTF-8 are kept, wherever they are; each stretch of text is a text of its own.
    assert tokenizer.encode(b"\xff" + some[-1].encode() + b"\xfe") == [255, *ids[-1], 254]


# Normalizers over all of Unicode


# A base before, a mark after, a mark that is sorted before others, Hangul that goes on.
CONTEXTS = ["{}", "a{}\u0301", "\u1100{}\u0327", "e\u0301{}\u1161"]
OVER_ALL = ["NFC", "NFD", "NFKC", "NFKD", "lowercase", "strip accents", "Nmt", "strip", "punctuation removed", "digits"]
OVER_ALL += ["whitespace", "whitespace split", "flags"]
# Two digits and two capitals of Unicode 17, which some of the tables of `tokenizers` have.
NEWER = ["\U00011de0", "\U00016ff4", "\U00016ea0", "\ua7ce"]


@pytest.mark.parametrize("name", OVER_ALL)
def test_every_character(name, capsys):
    characters = [character for character in assigned_characters() if unicodedata.category(character) != "Co"] + NEWER
    if not FULL:
        # All that are not ordinary to any normaliser, by Python's tables, and some of the others.
        plain = [character for character in characters if is_plain(character)]
        characters = sorted({*characters} - {*plain} | {*random.Random(SEED).sample(plain, 2_000)})
    contexts = CONTEXTS if name != "flags" else ["{0}word{0}", "<right>{0}<mask>"]
    if FULL:
        some = [context.format(character) for character in characters for context in contexts]
    else:
        some = ["x".join(context.format(character) for context in contexts) for character in characters]
    assert_same_ids(some, ours(name).encode_batch(some, allowed_special="all"), hugging_face_ids(theirs(name), some))
    with capsys.disabled():
        versions = f"ours {bytepair.UNICODE_VERSION}, Python's {unicodedata.unidata_version}"
        print(
            f"\n  {name:20} {len(characters):,} characters, {len(some):,} texts, 0 differ; Unicode: {versions}", end=" "
        )


def is_plain(character: str) -> bool:
    """Whether a character is a letter that no normaliser changes."""
    forms = {unicodedata.normalize(form, character) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    return forms == {character} and unicodedata.category(character) == "Lo"


# What is refused: changes to the file, the JSON path, and a part of the message.
REFUSED: dict[str, tuple[dict, str, str]] = {
    "truncation": ({"truncation": {"max_length": 3}}, "$.truncation", "not modelled"),
    "padding": ({"padding": {"pad_id": 0}}, "$.padding", "not modelled"),
    "another model": ({"type": "WordPiece"}, "$.model.type", '"WordPiece" is not modelled'),
    "dropout": ({"dropout": 0.5}, "$.model.dropout", "random"),
    "prefix of subwords": (
        {"continuing_subword_prefix": "##"},
        "$.model.continuing_subword_prefix",
        "not modelled",
    ),
    "suffix of words": ({"end_of_word_suffix": "</w>"}, "$.model.end_of_word_suffix", "not modelled"),
    "precompiled": ({"normalizer": {"type": "Precompiled"}}, "$.normalizer", "SentencePiece"),
    "Bert's normalizer": ({"normalizer": {"type": "BertNormalizer"}}, "$.normalizer", "not modelled"),
    "bytes first": (
        {"normalizer": sequence("normalizers", NFC, {"type": "ByteLevel"})},
        "$.normalizer.normalizers[1]",
        "other characters",
    ),
    "an option of NFC": ({"normalizer": {"type": "NFC", "form": 1}}, "$.normalizer.form", "not modelled"),
    "prepend nothing": ({"normalizer": {"type": "Prepend", "prepend": ""}}, "$.normalizer.prepend", "nothing"),
    "replace by look-behind": (
        {"normalizer": replace("(?<=a)b", "", "Regex")},
        "$.normalizer.pattern.Regex",
        "look",
    ),
    "replace nothing": ({"normalizer": replace("", "x")}, "$.normalizer.pattern.String", "match nothing"),
    "growth": (
        {"normalizer": sequence("normalizers", *[replace("a", "bbbb")] * 7)},
        "$.normalizer",
        "16384 times as long",
    ),
    "no pre-tokenizer": ({"pre_tokenizer": None}, "$.pre_tokenizer", "characters, not bytes"),
    "no bytes": ({"pre_tokenizer": {"type": "Whitespace"}}, "$.pre_tokenizer", "characters, not bytes"),
    "split after bytes": (
        {"pre_tokenizer": splits(byte_level(), last=split("a"))},
        "$.pre_tokenizer.pretokenizers[1]",
        "must be the last",
    ),
    "Metaspace": (
        {"pre_tokenizer": splits({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"})},
        "$.pre_tokenizer.pretokenizers[0]",
        "Metaspace",
    ),
    "scripts": (
        {"pre_tokenizer": splits({"type": "UnicodeScripts"})},
        "$.pre_tokenizer.pretokenizers[0]",
        '"UnicodeScripts" is not modelled',
    ),
    "split by look-ahead": (
        {"pre_tokenizer": splits(split("a(?=b)", "Removed"))},
        "$.pre_tokenizer.pretokenizers[0].pattern.Regex",
        "look-a",
    ),
    "another behavior": (
        {"pre_tokenizer": splits(split("a", "Doubled"))},
        "$.pre_tokenizer.pretokenizers[0].behavior",
        '"Doubled" is not known',
    ),
    "another post-processor": ({"post_processor": {"type": "Other"}}, "$.post_processor", "not modelled"),
    "two that add": (
        {"post_processor": sequence("processors", template("$A"), {"type": "BertProcessing", **CLS_SEP})},
        "$.post_processor.processors[1]",
        "second",
    ),
    "a template without the text": ({"post_processor": template("<s>")}, "$.post_processor.single", "once"),
    "the text twice": ({"post_processor": template("$A $A")}, "$.post_processor.single", "once"),
    "a second text": ({"post_processor": template("$A $B")}, "$.post_processor.single[1].Sequence.id", "no second"),
    "an unknown name": (
        {"post_processor": template("$A X")},
        "$.post_processor.single[1].SpecialToken.id",
        "not among special_tokens",
    ),
    "another decoder": ({"decoder": {"type": "Metaspace"}}, "$.decoder", "not modelled"),
    "a decoder after bytes": (
        {"decoder": sequence("decoders", byte_level(), {"type": "Strip"})},
        "$.decoder.decoders[1]",
        "not modelled",
    ),
    "normalised to nothing": (
        {"normalizer": STRIP, "added": [added(" \t", normalized=True)]},
        "$.added_tokens[2]",
        "nothing is left",
    ),
    "normalised to the same": (
        {"normalizer": LOWER, "added": [added("<X>", normalized=True), added("<x>", normalized=True)]},
        "$.added_tokens[3]",
        "same text",
    ),
    "normalised to bytes": (
        {"normalizer": NFC, "added": [added("e\u0301", normalized=True)]},
        "$.added_tokens[2]",
        "other bytes",
    ),
    "white space that two want": (
        {"added": [added("<r>", rstrip=True), added("\u3000<w>")]},
        "$.added_tokens[2]",
        "takes the white space",
    ),
    "a flag that is none": ({"added": [added("<r>", rstrip=1)]}, "$.added_tokens[2].rstrip", "true or false"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_modelled_is_refused_by_path(name, tmp_path):
    changes, location, message = REFUSED[name]
    (tmp_path / "tokenizer.json").write_text(changed(changes))
    with pytest.raises(FormatError) as caught:
        Tokenizer.load(tmp_path / "tokenizer.json")
    assert caught.value.location == location
    assert caught.value.path == str(tmp_path / "tokenizer.json")
    assert message in str(caught.value), str(caught.value)
    with pytest.raises(FormatError) as caught:
        Tokenizer.from_huggingface(changed(changes))
    assert (caught.value.location, caught.value.path) == (location, None)


@pytest.mark.parametrize("name", ["NFC", "flags", "prefix space", "whitespace", "template"])
def test_other_formats_cannot_hold_it(name, tmp_path):
    for path, format_ in [(tmp_path / "x.tiktoken", None), (tmp_path / "folder", "gpt2")]:
        with pytest.raises(FormatError):
            ours(name).save(path, format=format_)
        assert not path.is_file()


@pytest.mark.parametrize("name", ["gpt2.tokenizer.json", "deepseek_v4.tokenizer.json"])
def test_published_files(name, rng):
    if not (SHARED / name).exists():
        pytest.skip(f"there is no {name} at ../shared/vocabs")
    tokenizer, peer = Tokenizer.load(SHARED / name), tokenizers.Tokenizer.from_file(str(SHARED / name))
    some = [*texts(rng, N_TEXTS), *stdlib_texts()[:20]]
    assert_same_ids(some, tokenizer.encode_batch(some, allowed_special="all"), hugging_face_ids(peer, some))
    assert tokenizer._keeps_text

"""Characters and their bytes: held to Python's own decoder, over every pair of bytes and every code point."""

from __future__ import annotations

import codecs
import itertools
import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytepair import Tokenizer
from bytepair.unicode import classify_byte, encoding_lengths, explain_invalid, inspect
from bytepair.unicode._lengths import _RANGES
from bytepair.unicode._names import _CONTROLS
from common import builtin, mixed_text

# One byte on either side of each border that a rule of UTF-8 has.
BORDERS = bytes.fromhex("00 7f 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 ff")
SCALARS = [code_point for code_point in range(0x110000) if not 0xD800 <= code_point < 0xE000]


def python_errors(data: bytes) -> list[tuple[int, int]]:
    """Where Python's decoder finds errors: the oracle."""
    found = []

    def note(error: UnicodeError) -> tuple[str, int]:
        found.append((error.start, error.end))
        return "", error.end

    codecs.register_error("bytepair-note", note)
    data.decode(errors="bytepair-note")
    return found


def spans(data: bytes) -> list[tuple[int, int]]:
    return [(found.start, found.end) for found in explain_invalid(data)]


def test_every_pair_of_bytes():
    n_valid, n_single = 0, 0
    for pair in itertools.product(range(256), repeat=2):
        data = bytes(pair)
        expected = python_errors(data)
        assert spans(data) == expected, data
        n_valid += not expected
        n_single += not expected and len(data.decode()) == 1
    assert (n_valid, 65_536 - n_valid) == (18_304, 47_232)
    assert (n_single, n_valid - n_single) == (1_920, 16_384)


def test_every_border_up_to_four_bytes():
    for length in (1, 3, 4):
        for bytes_ in itertools.product(BORDERS, repeat=length):
            data = bytes(bytes_)
            assert spans(data) == python_errors(data), data


@given(st.lists(st.sampled_from(list(BORDERS)) | st.integers(0, 255), max_size=40).map(bytes))
def test_places_are_those_of_python(data):
    found = explain_invalid(data)
    assert [(one.start, one.end) for one in found] == python_errors(data)
    assert [one.data for one in found] == [data[one.start : one.end] for one in found]
    # What decodes with U+FFFD decodes to one for each of them.
    assert len(found) == data.decode(errors="replace").count("\ufffd") - data.count("\ufffd".encode())


def test_every_code_point_is_well_formed_and_its_bytes_say_so():
    roles = [classify_byte(byte) for byte in range(256)]
    assert explain_invalid("".join(map(chr, SCALARS)).encode()) == []
    for code_point in SCALARS:
        lead, *rest = (roles[byte] for byte in chr(code_point).encode())
        assert lead.role == ("lead" if rest else "single")
        assert lead.length == 1 + len(rest)
        assert all(byte.role == "continuation" for byte in rest)
        assert int(lead.payload + "".join(byte.payload for byte in rest), 2) == code_point


def test_every_surrogate_is_invalid():
    for code_point in range(0xD800, 0xE000):
        data = chr(code_point).encode(errors="surrogatepass")
        kinds = [found.kind for found in explain_invalid(data)]
        assert kinds == ["surrogate", "stray continuation", "stray continuation"]


def test_classes_of_bytes():
    seen = {byte: role for char in map(chr, SCALARS) for byte, role in _seen(char.encode())}
    classes = [classify_byte(byte) for byte in range(256)]
    for one in classes:
        assert one.role == seen.get(one.byte, "never")
        assert one.prefix + one.payload == f"{one.byte:08b}"
    assert [sum(one.role == role for one in classes) for role in ("single", "lead", "continuation", "never")] == [
        *(128, 51, 64, 13)
    ]
    for wrong in (-1, 256):
        with pytest.raises(ValueError, match=r"0\.\.255"):
            classify_byte(wrong)


def _seen(utf8: bytes) -> list[tuple[int, str]]:
    return [(utf8[0], "single" if len(utf8) == 1 else "lead"), *((byte, "continuation") for byte in utf8[1:])]


@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        # The examples of the standard, tables 3-8 to 3-11; `.` is text.
        ("C0 AF E0 80 BF F0 81 82 41", "overlong stray overlong stray stray overlong stray stray"),
        ("ED A0 80 ED BF BF ED AF 41", "surrogate stray stray surrogate stray stray surrogate stray"),
        ("F4 91 92 93 FF 41 80 BF 42", "out stray stray stray out stray stray"),
        ("E1 80 E2 F0 91 92 F1 BF 41", "truncated truncated truncated truncated"),
        # The answers to "two bytes that decode to nothing".
        ("C0 80", "overlong stray"),
        ("80 80", "stray stray"),
        ("C3 28", "truncated"),
        ("E3 81", "truncated"),
    ],
)
def test_kinds(data, kinds):
    assert [found.kind.split()[0] for found in explain_invalid(bytes.fromhex(data))] == kinds.split()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("C1", "C1 could only lead U+0040..U+007F in 2 bytes, and they have a shorter form"),
        ("E0 9F", "E0 9F could only lead U+07C0..U+07FF in 3 bytes, and they have a shorter form"),
        ("F0 8F", "F0 8F could only lead U+F000..U+FFFF in 4 bytes, and they have a shorter form"),
        ("ED A0", "ED A0 could only lead U+D800..U+D83F in 3 bytes, which are surrogates"),
        ("F4 90", "F4 90 could only lead U+110000..U+110FFF in 4 bytes, and the last code point is U+10FFFF"),
        ("F5", "F5 could only lead code points after U+10FFFF"),
        ("FF FE", "FF is never a byte of UTF-8; FF FE and FE FF are the marks that begin UTF-16"),
        ("F0 9F 41", "F0 leads 4 bytes, but 41 comes after 2"),
        ("F0 9F 99", "F0 leads 4 bytes, but the data end after 3"),
        ("E2", "E2 leads 3 bytes, but the data end after 1"),
        ("BF", "BF continues a character, but none has begun"),
    ],
)
def test_reasons(data, reason):
    assert explain_invalid(bytes.fromhex(data))[0].reason.startswith(reason)


def test_stray_continuations_name_what_was_refused():
    reasons = [found.reason for found in explain_invalid(b"a\xed\xa0\x80 \x80")]
    assert [reason.partition(",")[0] for reason in reasons[1:]] == [
        "A0 continues what byte 1 began",
        "80 continues what byte 1 began",
        "80 continues a character",
    ]


def test_explaining_takes_linear_time():
    # Each would take minutes if it looked back, or forth, over all the rest.
    for data in (b"a" * 4_000_000, "🙃".encode() * 500_000, b"\x80" * 200_000, b"a\xe3\x81" * 200_000):
        assert len(explain_invalid(data)) == len(python_errors(data))


def plain_lengths(text: str) -> list[tuple[int, ...]]:
    """The definition, character by character."""
    rows = []
    for span in _RANGES:
        chars = [char for char in text if span.first <= ord(char) <= span.last]
        if chars:
            encodings = ("utf-8", "utf-16-le", "utf-32-le")
            sizes = (sum(len(char.encode(encoding)) for char in chars) for encoding in encodings)
            rows.append((len(chars), *sizes))
    return rows


@given(st.text())
def test_lengths_are_those_of_the_encoders(text):
    lengths = encoding_lengths(text)
    encoded = [len(text.encode(encoding)) for encoding in ("utf-8", "utf-16-le", "utf-32-le")]
    assert lengths.total == (len(text), *encoded)
    assert [tuple(row) for row in lengths.by_range.values()] == plain_lengths(text)


def test_the_rule_of_lengths_holds_for_every_code_point():
    for char in map(chr, SCALARS):
        utf8, utf16 = len(char.encode()), len(char.encode("utf-16-le"))
        assert (utf16 < utf8) == (0x800 <= ord(char) <= 0xFFFF)
        assert (utf16 > utf8) == (ord(char) < 0x80)
        assert max(utf8, utf16) <= 4
    for span in _RANGES:
        for char in (chr(span.first), chr(span.last)):
            assert (len(char.encode()), len(char.encode("utf-16-le"))) == (span.utf8, span.utf16)


@pytest.mark.parametrize(
    ("text", "utf8", "utf16", "utf32"),
    [
        ("hello", 5, 10, 20),
        ("hello, numbers", 14, 28, 56),
        ("ćčšđ", 8, 8, 16),
        ("Привет", 12, 12, 24),
        ("नमस्ते", 18, 12, 24),
        ("こ", 3, 2, 4),
        ("🙃", 4, 4, 4),
        ("", 0, 0, 0),
    ],
)
def test_lengths(text, utf8, utf16, utf32):
    assert encoding_lengths(text).total == (len(text), utf8, utf16, utf32)


def test_lone_surrogates_have_no_length():
    with pytest.raises(UnicodeEncodeError):
        encoding_lengths("\ud800")
    one = inspect("\ud800").characters[0]
    assert (one.name, one.category, one.utf8, one.utf16_length) == ("<surrogate-D800>", "Cs", b"", 0)
    with pytest.raises(UnicodeEncodeError):
        inspect("\ud800", builtin("gpt2"))


def test_names():
    assert [unicodedata.lookup(name) for name in _CONTROLS.values()] == [chr(code_point) for code_point in _CONTROLS]
    assert len(_CONTROLS) == 65
    names = [one.name for one in inspect("ć\x00\ue000\ufdd0\U0010ffff\u0378").characters]
    assert names == [
        "LATIN SMALL LETTER C WITH ACUTE",
        "NULL",
        "<private-use-E000>",
        "<noncharacter-FDD0>",
        "<noncharacter-10FFFF>",
        "<reserved-0378>",
    ]


def test_what_is_invisible_is_not_absent():
    text = "this is a test" + chr(0) + "string"
    assert len(inspect(text).characters) == len(text) == 21
    null = inspect(text).characters[14]
    assert (null.code_point, null.repr, null.utf8) == (0, repr("\0"), b"\0")
    assert null.printed == "nothing: it is invisible, not absent"
    # Where `repr` shows a character as it is, so does printing, but for blanks, marks and what Unicode assigned later.
    for char in map(chr, range(0x3000)):
        one = inspect(char).characters[0]
        if one.printed == char:
            assert repr(char) in (f"'{char}'", "'\\\\'", '"\'"')


def test_every_code_point_can_be_inspected():
    for one in inspect("".join(map(chr, range(0x110000)))).characters:
        assert one.name
        assert one.printed
        assert len(one.utf8) == len(one.roles)
        assert (one.utf16_length, one.utf32_length) == ((4 if ord(one.char) > 0xFFFF else 2, 4) if one.utf8 else (0, 0))


@given(st.binary() | st.text().map(str.encode))
def test_the_parts_are_the_whole(data):
    found = inspect(data, builtin("cl100k_base"))
    assert b"".join(one.utf8 for one in found.characters) == data
    assert "".join(one.char for one in found.characters) == data.decode(errors="replace")
    assert [one.invalid for one in found.characters if one.invalid] == explain_invalid(data)
    assert [one.byte_start for one in found.characters] == [
        *itertools.accumulate((len(one.utf8) for one in found.characters[:-1]), initial=0)
    ][: len(found.characters)]
    assert b"".join(token.data for token in found.tokens) == data
    assert all(data[token.start : token.end] == token.data for token in found.tokens)


def test_tokens_are_those_of_encode(rng: random.Random):
    for _ in range(50):
        text = mixed_text(rng)
        assert [token.id for token in inspect(text, builtin("gpt2")).tokens] == builtin("gpt2").encode(text)
    assert inspect("a").tokens is None
    assert isinstance(inspect("a", Tokenizer.from_pretrained("gpt2")).tokens, list)

"""`bytepair unicode`: tables that nothing in a text breaks, and the same for a program to read."""

from __future__ import annotations

import json
import random

import pytest
from rich.cells import cell_len

from common import assigned_characters, builtin, mixed_text
from test_cli import bytepair, shell


def test_characters_bytes_and_tokens():
    shown = bytepair("unicode", "ć\n🙃", "-t", "gpt2").splitlines()
    rows = [line.split(maxsplit=4) for line in shown]
    assert ["0", "U+0107", "'ć'", "C4·87", "Ll  LATIN SMALL LETTER C WITH ACUTE"] in [
        [cell.rstrip() for cell in row] for row in rows
    ]
    assert ["3", "U+1F643", "'🙃'", "F0·9F·99·83"] in [row[:4] for row in rows]
    assert any("LINE FEED · begins a new line" in line for line in shown)
    assert f"{builtin('gpt2').count('ć' + chr(10) + '🙃')} tokens of gpt2" in shown
    assert any(line.split() == ["38325", "C4", "87", "ć"] for line in shown)
    assert shown[-1].split() == ["all", "3", "7", "8", "12"]


def test_null_is_invisible_and_not_absent():
    shown = bytepair("unicode", stdin=b"a\0")
    assert "U+0000      '\\x00'  00     Cc  NULL · nothing: it is invisible, not absent" in shown
    assert "\0" not in shown


def test_bytes_and_why_they_are_no_text():
    shown = bytepair("unicode", "--bytes", "C3 28")
    assert "C3    110 00011  leads 2 bytes" in shown
    assert "<truncated> C3 leads 2 bytes, but 28 comes" in shown
    assert "one place is not UTF-8, from byte 0 on" in shown
    # The same bytes as an argument that no UTF-8 is, and on stdin.
    of_argument = shell(r"bytepair unicode $'\xc3('", ".")
    assert of_argument == bytepair("unicode", stdin=b"\xc3(")
    assert of_argument == shown[shown.index("byte  code point") :]


def test_json():
    answer = json.loads(bytepair("unicode", "--json", "--bytes", "C4 87 80 00", "-t", "gpt2"))
    first, second, third = answer["characters"]
    assert first == {
        "byte_start": 0,
        "code_point": 0x107,
        "name": "LATIN SMALL LETTER C WITH ACUTE",
        "category": "Ll",
        "repr": "'ć'",
        "printed": "ć",
        "utf8": [{"byte": 0xC4, "role": "lead"}, {"byte": 0x87, "role": "continuation"}],
        "utf16_length": 2,
        "utf32_length": 4,
        "invalid": None,
    }
    assert second["invalid"]["kind"] == "stray continuation"
    assert third["name"] == "NULL"
    assert answer["lengths"] == {"characters": 2, "utf8": 3, "utf16": 4, "utf32": 8}
    assert answer["n_invalid"] == 1
    assert [(one["start"], one["end"], one["data"]) for one in answer["invalid"]] == [(2, 3, "80")]
    assert [token["id"] for token in answer["tokens"]] == builtin("gpt2").encode(b"\xc4\x87\x80\0")
    assert json.loads(bytepair("unicode", "--json", "a"))["tokens"] is None


def test_long_texts_are_counted_whole():
    shown = bytepair("unicode", "-t", "gpt2", "--limit", 3, stdin=b"ab\xff" * 1000)
    assert "… and 2,997 more characters; --limit lists more" in shown
    assert "1,000 places are not UTF-8, from byte 2 on" in shown
    assert shown.splitlines()[-1].split() == ["U+0000..U+007F", "2,000", "2,000", "4,000", "8,000"]
    assert "it must be 1 or more" in bytepair("unicode", "--limit", 0, "a", code=2)
    assert "is not hexadecimal digits in pairs" in bytepair("unicode", "--bytes", "C", code=2)
    assert "not allowed with" in bytepair("unicode", "--bytes", "C3", "text", code=2)


@pytest.mark.parametrize("chars", ["every control", "assigned", "mixed"])
def test_no_character_breaks_the_table(chars, rng: random.Random):
    text = {
        "every control": "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)])),
        "assigned": "".join(rng.sample(assigned_characters(), 2000)),
        "mixed": mixed_text(rng, 300),
    }[chars]
    # Carriage returns are Python's to read from a text, so look at what is printed byte by byte.
    lines = bytepair("unicode", "-t", "gpt2", "--limit", 2000, stdin=text.encode()).split("\n")
    assert max(map(cell_len, lines)) <= 80
    for line in lines:
        assert all(char.isprintable() for char in line), ascii(line)
    # Each row of the table has its columns where the heading has them.
    start = lines[0].index("UTF-8")
    rows = [line for line in lines if "  U+" in line[:12]]
    assert len(rows) == min(len(text), 2000)
    for line in rows:
        width = next(n for n in range(len(line)) if cell_len(line[:n]) == start)
        assert bytes.fromhex(line[width:].split("  ")[0].replace("·", " ")).decode()

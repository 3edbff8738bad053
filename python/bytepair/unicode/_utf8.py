"""The rules of UTF-8: what each byte can be, and where and why bytes are no text.

All of it follows from one table, that of well-formed sequences in chapter 3 of the Unicode standard (table 3-7).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

Role = Literal["single", "lead", "continuation", "never"]
Kind = Literal["stray continuation", "truncated", "overlong", "surrogate", "out of range"]


class _Lead(NamedTuple):
    """Lead bytes, and what may come after them."""

    first: int
    last: int
    length: int
    # The range of the second byte; all later ones are 80..BF.
    low: int
    high: int
    # What a continuation byte outside of that range would make.
    otherwise: Kind | None


_LEADS = (
    _Lead(0xC2, 0xDF, 2, 0x80, 0xBF, None),
    _Lead(0xE0, 0xE0, 3, 0xA0, 0xBF, "overlong"),
    _Lead(0xE1, 0xEC, 3, 0x80, 0xBF, None),
    _Lead(0xED, 0xED, 3, 0x80, 0x9F, "surrogate"),
    _Lead(0xEE, 0xEF, 3, 0x80, 0xBF, None),
    _Lead(0xF0, 0xF0, 4, 0x90, 0xBF, "overlong"),
    _Lead(0xF1, 0xF3, 4, 0x80, 0xBF, None),
    _Lead(0xF4, 0xF4, 4, 0x80, 0x8F, "out of range"),
)
_LEAD_OF = {byte: lead for lead in _LEADS for byte in range(lead.first, lead.last + 1)}

_CONTINUATION = range(0x80, 0xC0)


def _span(first: int, last: int) -> bytes:
    return b"[" + re.escape(bytes([first])) + b"-" + re.escape(bytes([last])) + b"]"


# Text from here on, as far as it goes. Nothing in it is tried twice, so it takes linear time.
_WELL_FORMED = re.compile(
    b"(?:[\\x00-\\x7f]++|"
    + b"|".join(
        _span(lead.first, lead.last) + _span(lead.low, lead.high) + _span(0x80, 0xBF) * (lead.length - 2)
        for lead in _LEADS
    )
    + b")*+"
)


class ByteClass(NamedTuple):
    """What one byte can be in UTF-8.

    Attributes
    ----------
    byte : int
    role : {"single", "lead", "continuation", "never"}
        A character of its own (ASCII), the first byte of a longer one, a later byte, or no byte of UTF-8.
    length : int
        How many bytes a character takes that begins with it; 0 for one that begins none.
    prefix, payload : str
        Its bits: those that tell the role, and those that go into the code point.
    """

    byte: int
    role: Role
    length: int
    prefix: str
    payload: str


def classify_byte(byte: int) -> ByteClass:
    """Tell what a byte can be in UTF-8.

    Its leading bits say it: ``0`` stands alone, ``110``, ``1110`` and ``11110`` lead 2, 3 and 4 bytes, and ``10``
    continues what one of these began.

    Parameters
    ----------
    byte : int
        0 to 255.

    Returns
    -------
    ByteClass

    Raises
    ------
    ValueError
        `byte` is not in 0..255.

    Examples
    --------
    >>> classify_byte(0xC4)
    ByteClass(byte=196, role='lead', length=2, prefix='110', payload='00100')
    >>> classify_byte(0x87)
    ByteClass(byte=135, role='continuation', length=0, prefix='10', payload='000111')
    >>> chr(int("00100" + "000111", 2))
    'ć'
    >>> [f"{byte:02X}" for byte in range(256) if classify_byte(byte).role == "never"]
    ['C0', 'C1', 'F5', 'F6', 'F7', 'F8', 'F9', 'FA', 'FB', 'FC', 'FD', 'FE', 'FF']
    """
    byte = operator.index(byte)
    if not 0 <= byte <= 0xFF:
        raise ValueError(f"a byte is in 0..255, not {byte}")
    bits = f"{byte:08b}"
    n_ones = len(bits) - len(bits.lstrip("1"))
    prefix, payload = bits[: n_ones + 1], bits[n_ones + 1 :]
    if n_ones == 0:
        return ByteClass(byte, "single", 1, prefix, payload)
    if n_ones == 1:
        return ByteClass(byte, "continuation", 0, prefix, payload)
    lead = _LEAD_OF.get(byte)
    if lead is None:
        return ByteClass(byte, "never", 0, prefix, payload)
    return ByteClass(byte, "lead", lead.length, prefix, payload)


class InvalidSequence(NamedTuple):
    """Bytes that are no UTF-8, as short as the standard takes them: a maximal subpart, for which U+FFFD stands.

    Attributes
    ----------
    start, end : int
        Byte offsets; `end` is the first that is not part of it.
    data : bytes
        The bytes themselves, 1 to 3.
    kind : {"stray continuation", "truncated", "overlong", "surrogate", "out of range"}
    reason : str
        Why they are no text.
    """

    start: int
    end: int
    data: bytes
    kind: Kind
    reason: str


def explain_invalid(data: bytes | bytearray | memoryview) -> list[InvalidSequence]:
    r"""Say where bytes are no UTF-8, and why.

    The places are those of Python's decoder, which are those that the Unicode standard recommends: each is a maximal
    subpart, the longest beginning of a character that is there, or else a single byte. So a surrogate in three bytes is
    three places: after ``ED``, the byte ``A0`` is already wrong.

    Parameters
    ----------
    data : bytes-like

    Returns
    -------
    list of InvalidSequence
        Empty where all is text.

    Notes
    -----
    O(n) for n bytes.

    Examples
    --------
    >>> for found in explain_invalid(b"ab\x80 \xc0\x80 \xe3\x81"):
    ...     print(found.start, found.data.hex(), found.kind + ":", found.reason)
    2 80 stray continuation: 80 continues a character, but none has begun
    4 c0 overlong: C0 could only lead U+0000..U+003F in 2 bytes, and they have a shorter form
    5 80 stray continuation: 80 continues what byte 4 began, which is no character
    7 e381 truncated: E3 leads 3 bytes, but the data end after 2
    """
    return list(invalid_sequences(bytes(data)))


def invalid_sequences(data: bytes) -> Iterator[InvalidSequence]:
    """Yield the places where bytes are no UTF-8, in order."""
    position = 0
    refused, refused_end = 0, -1
    while (position := _end_of_text(data, position)) < len(data):
        found = _explain(data, position)
        if found.kind != "stray continuation":
            refused, refused_end = position, found.end
        elif position == refused_end:
            # It is of no character, but it is clear where it comes from.
            reason = f"{data[position]:02X} continues what byte {refused} began, which is no character"
            found, refused_end = found._replace(reason=reason), found.end
        yield found
        position = found.end


def _end_of_text(data: bytes, start: int) -> int:
    match = _WELL_FORMED.match(data, start)
    assert match is not None, "it matches nothing, too"
    return match.end()


def _explain(data: bytes, start: int) -> InvalidSequence:
    """Explain the sequence at `start`, where no character begins that is all there."""
    first = data[start]

    def found(length: int, kind: Kind, reason: str) -> InvalidSequence:
        return InvalidSequence(start, start + length, data[start : start + length], kind, f"{first:02X} {reason}")

    if first in _CONTINUATION:
        return found(1, "stray continuation", "continues a character, but none has begun")
    if first in (0xC0, 0xC1):
        could = _code_points(first & 0x1F, 6)
        return found(1, "overlong", f"could only lead {could} in 2 bytes, and they have a shorter form")
    if first >= 0xFE:
        return found(1, "out of range", "is never a byte of UTF-8; FF FE and FE FF are the marks that begin UTF-16")
    if first > 0xF4:
        return found(1, "out of range", "could only lead code points after U+10FFFF, which is the last")
    lead = _LEAD_OF[first]
    # The end of the data is as good as a byte that continues nothing.
    second = data[start + 1] if start + 1 < len(data) else 0
    if lead.otherwise is not None and second in _CONTINUATION and not lead.low <= second <= lead.high:
        n_free = 6 * (lead.length - 2)
        could = _code_points((first & (0x7F >> lead.length)) << 6 | second & 0x3F, n_free)
        why = {
            "overlong": "and they have a shorter form",
            "surrogate": "which are surrogates: halves of UTF-16, and no characters",
            "out of range": "and the last code point is U+10FFFF",
        }[lead.otherwise]
        return found(1, lead.otherwise, f"{second:02X} could only lead {could} in {lead.length} bytes, {why}")
    length = 1
    while start + length < len(data) and data[start + length] in _CONTINUATION:
        length += 1
    where = "but the data end" if start + length == len(data) else f"but {data[start + length]:02X} comes"
    return found(length, "truncated", f"leads {lead.length} bytes, {where} after {length}")


def _code_points(high: int, n_free: int) -> str:
    """Return the range of code points whose bits above the lowest `n_free` are these."""
    return f"U+{high << n_free:04X}..U+{((high + 1) << n_free) - 1:04X}"

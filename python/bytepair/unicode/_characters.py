"""A text, character by character, with the tokens that lie beneath."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from bytepair.unicode._lengths import EncodingLengths, encoding_lengths
from bytepair.unicode._names import name_of, printed
from bytepair.unicode._utf8 import InvalidSequence, Role, classify_byte, invalid_sequences

if TYPE_CHECKING:
    from bytepair.tokenizer import Tokenizer


class Character(NamedTuple):
    """One character of a text, or bytes that are none.

    Attributes
    ----------
    char : str
        The character; U+FFFD for bytes that are none, as decoding has it.
    byte_start : int
        Byte offset in the UTF-8 of the text.
    utf8 : bytes
        Its bytes; none for a lone surrogate, which has no UTF-8.
    invalid : InvalidSequence or None
        Why these bytes are no character, where they are none.
    """

    char: str
    byte_start: int
    utf8: bytes
    invalid: InvalidSequence | None = None

    @property
    def code_point(self) -> int | None:
        """Its number in Unicode; None where there is no character."""
        return None if self.invalid else ord(self.char)

    @property
    def name(self) -> str:
        """Its name in Unicode; for a control character its alias, for what has no name a label in angle brackets."""
        return f"<{self.invalid.kind}>" if self.invalid else name_of(self.char)

    @property
    def category(self) -> str:
        """Its general category: two letters such as "Lu" (letter, uppercase) or "Cc" (control)."""
        return "" if self.invalid else unicodedata.category(self.char)

    @property
    def repr(self) -> str:
        """What `repr` shows: escapes for what printing would not show."""
        return repr(self.utf8)[1:] if self.invalid else repr(self.char)

    @property
    def printed(self) -> str:
        """What printing does, in a few words; the character itself where it is seen."""
        return "U+FFFD, where errors are replaced" if self.invalid else printed(self.char)

    @property
    def roles(self) -> tuple[Role, ...]:
        """The role of each of its bytes in UTF-8."""
        return tuple(classify_byte(byte).role for byte in self.utf8)

    @property
    def utf16_length(self) -> int:
        """Bytes that it takes in UTF-16: 2 or 4."""
        return 0 if self.invalid or not self.utf8 else 4 if ord(self.char) > 0xFFFF else 2

    @property
    def utf32_length(self) -> int:
        """Bytes that it takes in UTF-32: 4."""
        return 0 if self.invalid or not self.utf8 else 4

    def as_dict(self) -> dict[str, Any]:
        """Return all of this as what JSON can hold."""
        return {
            "byte_start": self.byte_start,
            "code_point": self.code_point,
            "name": self.name,
            "category": self.category,
            "repr": self.repr,
            "printed": self.printed,
            "utf8": [{"byte": byte, "role": role} for byte, role in zip(self.utf8, self.roles, strict=True)],
            "utf16_length": self.utf16_length,
            "utf32_length": self.utf32_length,
            "invalid": self.invalid and {"kind": self.invalid.kind, "reason": self.invalid.reason},
        }


class TokenSpan(NamedTuple):
    """A token of a text.

    Attributes
    ----------
    id : int
    data : bytes
        Its bytes, which may begin or end inside a character.
    start, end : int
        Byte offsets in the UTF-8 of the text.
    """

    id: int
    data: bytes
    start: int
    end: int


class Inspection(NamedTuple):
    """What a text is made of.

    Attributes
    ----------
    characters : list of Character
    tokens : list of TokenSpan or None
        Those of the tokenizer, where one was given.
    """

    characters: list[Character]
    tokens: list[TokenSpan] | None

    @property
    def lengths(self) -> EncodingLengths:
        """How long the text is in each encoding; what is no character is left out."""
        return encoding_lengths("".join(c.char for c in self.characters if c.utf8 and not c.invalid))


def inspect(text: str | bytes | bytearray | memoryview, tokenizer: Tokenizer | None = None) -> Inspection:
    r"""Take a text apart into characters, their bytes, and the tokens beneath.

    Parameters
    ----------
    text : str or bytes-like
        Bytes need not be UTF-8: parts that are not are shown with the reason.
    tokenizer : Tokenizer, optional
        Whose tokens to show. Special tokens are text.

    Returns
    -------
    Inspection

    Raises
    ------
    UnicodeEncodeError
        A tokenizer is given and `text` holds a lone surrogate.
    ValueError
        The tokenizer changes texts before it encodes them, so its tokens have no place in this one.

    Notes
    -----
    O(n) for n bytes, and some hundred bytes of memory for each character.

    Examples
    --------
    >>> import bytepair
    >>> null, moon = inspect("\0🌙").characters
    >>> null.code_point, null.name, null.category, null.repr, null.printed
    (0, 'NULL', 'Cc', "'\\x00'", 'nothing: it is invisible, not absent')
    >>> moon.utf8.hex(" "), moon.roles
    ('f0 9f 8c 99', ('lead', 'continuation', 'continuation', 'continuation'))
    >>> for token in inspect("ć🌙", bytepair.Tokenizer.from_pretrained("gpt2")).tokens:
    ...     print(token.id, token.data.hex(" "), token.start, token.end)
    38325 c4 87 0 2
    8582 f0 9f 2 4
    234 8c 4 5
    247 99 5 6
    """
    parts = text if isinstance(text, str) else bytes(text)
    tokens = None if tokenizer is None else list(token_spans(parts, tokenizer))
    return Inspection(list(characters(parts)), tokens)


def characters(text: str | bytes) -> Iterator[Character]:
    """Yield the characters of a text in order, as they are asked for."""
    if isinstance(text, str):
        yield from _of_text(text, 0)
        return
    start = 0
    for found in invalid_sequences(text):
        yield from _of_text(text[start : found.start].decode(), start)
        yield Character("\ufffd", found.start, found.data, found)
        start = found.end
    yield from _of_text(text[start:].decode(), start)


def _of_text(text: str, start: int) -> Iterator[Character]:
    for char in text:
        utf8 = char.encode(errors="ignore")
        yield Character(char, start, utf8)
        start += len(utf8)


def token_spans(text: str | bytes, tokenizer: Tokenizer) -> Iterator[TokenSpan]:
    """Yield the tokens of a text in order."""
    ids, starts = tokenizer.encode_with_offsets(text, unit="byte")
    n_bytes = len(text.encode() if isinstance(text, str) else text)
    for token_id, (start, end) in zip(ids, itertools.pairwise([*starts, n_bytes]), strict=True):
        yield TokenSpan(token_id, tokenizer.id_to_bytes(token_id), start, end)

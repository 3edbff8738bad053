r"""What a text is made of: its characters, their bytes in each encoding, and why some bytes are no text.

>>> from bytepair.unicode import encoding_lengths, explain_invalid, inspect
>>> [(character.name, character.utf8.hex(" ")) for character in inspect("ć\0").characters]
[('LATIN SMALL LETTER C WITH ACUTE', 'c4 87'), ('NULL', '00')]
>>> encoding_lengths("ćčšđ").total
Lengths(characters=4, utf8=8, utf16=8, utf32=16)
>>> explain_invalid(b"\xc3\x28")[0].kind
'truncated'

Names and categories are those of the running Python's :mod:`unicodedata`, whose version of Unicode may differ from the
one that texts are split by (:data:`bytepair.UNICODE_VERSION`).
"""

from bytepair.unicode._characters import Character, Inspection, TokenSpan, inspect
from bytepair.unicode._lengths import EncodingLengths, Lengths, encoding_lengths
from bytepair.unicode._tradeoff import TradeoffRow, tradeoff_picture, vocabulary_tradeoff
from bytepair.unicode._utf8 import ByteClass, InvalidSequence, classify_byte, explain_invalid

__all__ = [
    "ByteClass",
    "Character",
    "EncodingLengths",
    "Inspection",
    "InvalidSequence",
    "Lengths",
    "TokenSpan",
    "TradeoffRow",
    "classify_byte",
    "encoding_lengths",
    "explain_invalid",
    "inspect",
    "tradeoff_picture",
    "vocabulary_tradeoff",
]

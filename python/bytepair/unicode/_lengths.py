"""How long a text is in UTF-8, UTF-16 and UTF-32."""

from __future__ import annotations

from typing import NamedTuple


class _Range(NamedTuple):
    first: int
    last: int
    # Bytes that each of its characters takes.
    utf8: int
    utf16: int


# UTF-32 takes four for every character.
_RANGES = (
    _Range(0x0000, 0x007F, 1, 2),
    _Range(0x0080, 0x07FF, 2, 2),
    _Range(0x0800, 0xFFFF, 3, 2),
    _Range(0x10000, 0x10FFFF, 4, 4),
)


class Lengths(NamedTuple):
    """A number of characters, and the bytes that they take in each encoding.

    Attributes
    ----------
    characters : int
        Code points, as `len` counts them.
    utf8, utf16, utf32 : int
        Bytes, without a byte order mark.
    """

    characters: int
    utf8: int
    utf16: int
    utf32: int


class EncodingLengths(NamedTuple):
    """The bytes of a text in each encoding.

    Attributes
    ----------
    total : Lengths
        All of the text.
    by_range : dict of str to Lengths
        The parts of it, by where their code points lie. All characters of a range take the same number of bytes.
    """

    total: Lengths
    by_range: dict[str, Lengths]

    @property
    def shortest(self) -> tuple[str, ...]:
        """The encodings in which the text is shortest, of several that are equal all."""
        sizes = {"UTF-8": self.total.utf8, "UTF-16": self.total.utf16, "UTF-32": self.total.utf32}
        return tuple(name for name, size in sizes.items() if size == min(sizes.values()))


def encoding_lengths(text: str) -> EncodingLengths:
    """Return how many bytes a text takes in UTF-8, UTF-16 and UTF-32.

    UTF-16 is shorter than UTF-8 only for U+0800 to U+FFFF (two bytes, not three), longer for ASCII, and equal for all
    else. UTF-32 takes four bytes for every character, and no character takes more in the others: it never wins.

    Parameters
    ----------
    text : str

    Returns
    -------
    EncodingLengths

    Raises
    ------
    UnicodeEncodeError
        `text` holds a lone surrogate, which no encoding has.

    Notes
    -----
    O(n) for n characters. No byte order mark is counted; Python's codecs ``utf-16`` and ``utf-32`` add one, of 2 and 4
    bytes.

    Examples
    --------
    >>> encoding_lengths("hello").total
    Lengths(characters=5, utf8=5, utf16=10, utf32=20)
    >>> encoding_lengths("ćčšđ").shortest
    ('UTF-8', 'UTF-16')
    >>> for span, lengths in encoding_lengths("नमस्ते 🙃").by_range.items():
    ...     print(f"{span:16}", *lengths)
    U+0000..U+007F   1 1 2 4
    U+0800..U+FFFF   6 18 12 24
    U+10000..U+10FFFF 1 4 4 4
    """
    n_bytes, n_units = len(text.encode()), len(text.encode("utf-16-le")) // 2
    # The four numbers of characters, by what the codecs count: they are fast, and a loop over characters is not.
    n_1 = len(text.encode("ascii", errors="ignore"))
    n_4 = n_units - len(text)
    n_3 = (n_bytes - 4 * n_4 - n_1) - 2 * (len(text) - n_4 - n_1)
    n_2 = len(text) - n_1 - n_3 - n_4
    by_range = {
        f"U+{span.first:04X}..U+{span.last:04X}": Lengths(n, span.utf8 * n, span.utf16 * n, 4 * n)
        for span, n in zip(_RANGES, (n_1, n_2, n_3, n_4), strict=True)
        if n
    }
    return EncodingLengths(Lengths(len(text), n_bytes, 2 * n_units, 4 * len(text)), by_range)

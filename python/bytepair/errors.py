"""The exceptions of bytepair: each is an ordinary exception, named for what is at fault.

Wrong types raise :class:`TypeError`, files that cannot be read or written :class:`OSError`, strict decoding
:class:`UnicodeDecodeError`, lone surrogates :class:`UnicodeEncodeError`, exhausted memory :class:`MemoryError`.
"""

from __future__ import annotations

import os

__all__ = [
    "BytepairError",
    "FormatError",
    "InternalError",
    "MissingByteError",
    "PatternError",
    "ShapeError",
    "SpecialTokenError",
    "TokenIdError",
    "TrainingError",
    "VocabularyError",
]


class BytepairError(Exception):
    """The base of all exceptions that bytepair defines."""


class VocabularyError(BytepairError, ValueError):
    """Tokens, ids or merges do not form a vocabulary."""


class FormatError(BytepairError, ValueError):
    """A file is not what its format says, or holds something that is not modelled exactly.

    Attributes
    ----------
    path : str or None
        The file, where it was read from one.
    location : str
        Where in the file: a JSON path such as ``$.model.merges[3]``, ``line 7`` or ``byte 9``.
    """

    def __init__(self, message: str, location: str = "") -> None:
        super().__init__(message, location)
        self.message = message
        self.location = location
        self.path: str | None = None

    def __str__(self) -> str:
        return self.message if self.path is None else f"{self.path}: {self.message}"

    def within(self, path: str | os.PathLike[str]) -> FormatError:
        """Return this error, saying that it lies in the file `path`."""
        self.path = os.fspath(path)
        return self


class MissingByteError(BytepairError, ValueError):
    """A text holds a byte that is no token: the vocabulary, which came from a file, lacks it.

    Attributes
    ----------
    byte : int
        The byte.
    offset : int
        Its byte offset in the UTF-8 of the text.
    """

    def __init__(self, message: str, byte: int = 0, offset: int = 0) -> None:
        super().__init__(message, byte, offset)
        self.message = message
        self.byte = byte
        self.offset = offset

    def __str__(self) -> str:
        return self.message


class PatternError(BytepairError, ValueError):
    """A split pattern is malformed, or cannot be run exactly in linear time.

    Attributes
    ----------
    position : int
        Byte offset in the pattern.
    """

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message, position)
        self.message = message
        self.position = position

    def __str__(self) -> str:
        return self.message


class ShapeError(BytepairError, ValueError):
    """The fields of a model's shape, or the arrays that a model is given, do not fit together."""


class SpecialTokenError(BytepairError, ValueError):
    """A special token is unusable, or stands in a text where it is disallowed.

    Attributes
    ----------
    token : str
        The special token.
    offset : int or None
        Byte offset of the token in the UTF-8 of the text, where there is one.
    """

    def __init__(self, message: str, token: str = "", offset: int | None = None) -> None:
        super().__init__(message, token, offset)
        self.message = message
        self.token = token
        self.offset = offset

    def __str__(self) -> str:
        return self.message


class TokenIdError(BytepairError, ValueError, KeyError):
    """An id to decode stands for no token.

    Attributes
    ----------
    token_id : int
        The id as given.
    index : int
        Its index in the ids to decode.
    """

    def __init__(self, message: str, token_id: int = 0, index: int = 0) -> None:
        super().__init__(message, token_id, index)
        self.message = message
        self.token_id = token_id
        self.index = index

    def __str__(self) -> str:
        return self.message


class TrainingError(BytepairError, ValueError):
    """The corpus or the arguments of training are unusable."""


class InternalError(BytepairError, RuntimeError):
    """A defect of bytepair. Please report it with what led to it."""

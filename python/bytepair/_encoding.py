"""What `encode` gives in Hugging Face's `tokenizers`: ids, with all that belongs to each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from bytepair._core import _Columns

__all__ = ["Encoding", "absent"]

# What the class of the same name has there and not here, and why.
_ABSENT = {
    "merge": "encodings are not joined; encode the joined text",
    "pad": "encodings are not padded; pad the array that the ids go into",
    "set_sequence_id": "an encoding is of one text and does not change",
    "truncate": "encodings do not change; cut the lists, or use bytepair.Tokenizer.truncate before encoding",
    "words": "it is deprecated there; use word_ids",
}


def absent(owner: str, name: str, reasons: dict[str, str]) -> NoReturn:
    """Raise for an attribute that is not here, with the reason where it is one of the original's."""
    message = f"{owner!r} object has no attribute {name!r}"
    if name in reasons:
        message = f"bytepair.huggingface.{owner} has no {name!r}: {reasons[name]}"
    raise AttributeError(message, name=name)


class Encoding:
    """The ids of one text and what belongs to each, as `tokenizers.Encoding` has it.

    Parameters
    ----------
    columns : tuple
        Made by the compiled part.
    post_processed : bool
        Whether the file has a post-processor.
    sequences_known : bool
        Whether the post-processors leave it clear which tokens are of the text.

    Examples
    --------
    >>> from bytepair.huggingface import Tokenizer
    >>> encoding = Tokenizer.from_pretrained("gpt2").encode("héllo")
    >>> encoding.tokens, encoding.offsets
    (['h', 'Ã©', 'llo'], [(0, 1), (1, 2), (2, 5)])
    >>> encoding.char_to_token(3)
    2
    """

    __slots__ = (
        "_post_processed",
        "_sequences_known",
        "ids",
        "offsets",
        "special_tokens_mask",
        "tokens",
        "type_ids",
        "word_ids",
    )

    def __init__(self, columns: _Columns, post_processed: bool, sequences_known: bool) -> None:
        self.ids, self.type_ids, self.tokens, self.offsets, self.word_ids, added = columns
        self.special_tokens_mask = [int(is_added) for is_added in added]
        self._post_processed = post_processed
        self._sequences_known = sequences_known

    @property
    def attention_mask(self) -> list[int]:
        """One for each token: there is no padding."""
        return [1] * len(self.ids)

    @property
    def overflowing(self) -> list[Encoding]:
        """None: there is no truncation."""
        return []

    @property
    def n_sequences(self) -> int:
        """How many texts this is of: one."""
        self._check_sequences()
        return 1

    @property
    def sequence_ids(self) -> list[int | None]:
        """Zero for each token of the text, None for those that were added to it."""
        self._check_sequences()
        return [None if is_added else 0 for is_added in self.special_tokens_mask]

    def token_to_sequence(self, token_index: int) -> int | None:
        """Return 0 where a token is of the text, None where it was added to it or there is no such token."""
        self._check_sequences()
        index = _unsigned(token_index)
        if not self._post_processed:
            # One past the last is taken for a token there.
            return 0 if index <= len(self.ids) else None
        return 0 if index < len(self.ids) and not self.special_tokens_mask[index] else None

    def token_to_chars(self, token_index: int) -> tuple[int, int] | None:
        """Return the characters that a token of the text stands for, as start and end."""
        if self.token_to_sequence(token_index) is None or token_index >= len(self.ids):
            return None
        return self.offsets[token_index]

    def token_to_word(self, token_index: int) -> int | None:
        """Return the number of the pretoken that a token of the text is in."""
        if self.token_to_sequence(token_index) is None or token_index >= len(self.ids):
            return None
        return self.word_ids[token_index]

    def char_to_token(self, char_pos: int, sequence_index: int = 0) -> int | None:
        """Return the first token that stands for a character."""
        position = _unsigned(char_pos)
        for index in self._range(sequence_index):
            start, end = self.offsets[index]
            if start <= position < end:
                return index
        return None

    def char_to_word(self, char_pos: int, sequence_index: int = 0) -> int | None:
        """Return the number of the pretoken that a character is in."""
        token = self.char_to_token(char_pos, sequence_index)
        return None if token is None else self.token_to_word(token)

    def word_to_tokens(self, word_index: int, sequence_index: int = 0) -> tuple[int, int] | None:
        """Return the tokens of a pretoken, as start and end."""
        if word_index < 0:
            raise OverflowError("number too small to fit in target type")
        found = []
        for index in self._range(sequence_index):
            of_token = self.word_ids[index]
            if of_token is not None and of_token > word_index:
                break
            if of_token == word_index:
                found.append(index)
        return (found[0], found[-1] + 1) if found else None

    def word_to_chars(self, word_index: int, sequence_index: int = 0) -> tuple[int, int] | None:
        """Return the characters that a pretoken stands for, as start and end."""
        tokens = self.word_to_tokens(word_index, sequence_index)
        return None if tokens is None else (self.offsets[tokens[0]][0], self.offsets[tokens[1] - 1][1])

    def _range(self, sequence_index: int) -> range:
        """Return the tokens of a text; there, a text that is not there has all."""
        self._check_sequences()
        if _unsigned(sequence_index) or not any(self.special_tokens_mask):
            return range(len(self.ids))
        own = [index for index, is_added in enumerate(self.special_tokens_mask) if not is_added]
        return range(own[0], own[-1] + 1) if own else range(0)

    def _check_sequences(self) -> None:
        if not self._sequences_known:
            message = "a post-processor after the one that adds tokens counts them as texts of their own; that is not"
            raise NotImplementedError(f"{message} modelled: use special_tokens_mask, offsets and word_ids")

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        attributes = "ids, type_ids, tokens, offsets, attention_mask, special_tokens_mask, overflowing"
        return f"Encoding(num_tokens={len(self.ids)}, attributes=[{attributes}])"

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        absent("Encoding", name, _ABSENT)


def _unsigned(number: int) -> int:
    if number < 0:
        raise OverflowError("can't convert negative int to unsigned")
    return number

"""The class `Encoding`: tiktoken's interface over the same core as all of bytepair."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from bytepair import _core

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Encoding"]

_NONE: frozenset[str] = frozenset()


class Encoding:
    r"""A byte-level BPE encoding, as tiktoken's class of this name.

    Parameters
    ----------
    name : str
        For `repr` only.
    pat_str : str
        The regex that splits text before merging. Text that it skips has no tokens, and a `UserWarning` says so.
    mergeable_ranks : dict of bytes to int
        The tokens; of two pairs, the one whose joined bytes have the lower rank merges first.
    special_tokens : dict of str to int
        Tokens that no merge makes.
    explicit_n_vocab : int, optional
        How many tokens there must be, with no id left out.

    Raises
    ------
    ValueError
        Two tokens have one id, a special token is also an ordinary token with another id, or the regex is malformed
        or cannot be run in linear time.

    Examples
    --------
    >>> ranks = {bytes([byte]): byte for byte in range(256)} | {b"ab": 256}
    >>> encoding = Encoding("mine", pat_str=r"\w+|\W+", mergeable_ranks=ranks, special_tokens={"<end>": 257})
    >>> encoding.encode("abba<end>", allowed_special={"<end>"})
    [256, 98, 97, 257]
    """

    def __init__(
        self,
        name: str,
        *,
        pat_str: str,
        mergeable_ranks: dict[bytes, int],
        special_tokens: dict[str, int],
        explicit_n_vocab: int | None = None,
    ) -> None:
        self._mergeable_ranks = mergeable_ranks
        largest = max(max(mergeable_ranks.values()), max(special_tokens.values(), default=0))
        if explicit_n_vocab:
            assert len(mergeable_ranks) + len(special_tokens) == explicit_n_vocab
            assert largest == explicit_n_vocab - 1
        self._set(name, pat_str, special_tokens, _core.TiktokenCore(mergeable_ranks, special_tokens, pat_str))

    @classmethod
    def _of_builtin(cls, name: str, base: str, pat_str: str, special_tokens: dict[str, int]) -> Encoding:
        """Return the encoding with the ranks of the built-in vocabulary `base`."""
        encoding = cls.__new__(cls)
        core = _core.TiktokenCore.builtin(base, special_tokens)
        assert core is not None, f"{base} is built in"
        encoding._set(name, pat_str, special_tokens, core)
        encoding._is_builtin = True
        return encoding

    def _set(self, name: str, pat_str: str, special_tokens: dict[str, int], core: _core.TiktokenCore) -> None:
        self.name = name
        self._pat_str = pat_str
        self._special_tokens = special_tokens
        self._special_token_values = set(special_tokens.values())
        self._core_bpe = core
        self._is_builtin = False
        self.max_token_value = core.max_token_value

    @cached_property
    def _mergeable_ranks(self) -> dict[bytes, int]:
        # Of a built-in vocabulary, made when asked for.
        return self._core_bpe.ranks()

    def __repr__(self) -> str:
        return f"<Encoding {self.name!r}>"

    # Encoding

    def encode_ordinary(self, text: str) -> list[int]:
        """Return the ids of a text in which special tokens are plain text.

        Parameters
        ----------
        text : str
            Lone surrogates become U+FFFD.

        Returns
        -------
        list of int

        Examples
        --------
        >>> import bytepair.tiktoken as tiktoken
        >>> tiktoken.get_encoding("gpt2").encode_ordinary("hello world")
        [31373, 995]
        """
        return self._core_bpe.encode(text, _NONE)

    def encode(
        self,
        text: str,
        *,
        allowed_special: Literal["all"] | AbstractSet[str] = _NONE,
        disallowed_special: Literal["all"] | Collection[str] = "all",
    ) -> list[int]:
        """Return the ids of a text.

        Parameters
        ----------
        text : str
            Lone surrogates become U+FFFD.
        allowed_special : "all" or set of str, default none
            Special tokens that become their ids.
        disallowed_special : "all" or collection of str, default "all"
            Texts that raise where they occur; "all" means all special tokens that are not allowed.

        Returns
        -------
        list of int

        Raises
        ------
        ValueError
            `text` contains one of `disallowed_special`.

        Examples
        --------
        >>> import bytepair.tiktoken as tiktoken
        >>> gpt2 = tiktoken.get_encoding("gpt2")
        >>> gpt2.encode("hello <|endoftext|>", allowed_special={"<|endoftext|>"})
        [31373, 220, 50256]
        >>> len(gpt2.encode("hello <|endoftext|>", disallowed_special=()))
        8
        """
        allowed, disallowed = self._chosen(allowed_special, disallowed_special)
        self._refuse(text, disallowed)
        return self._core_bpe.encode(text, allowed)

    def encode_to_numpy(
        self,
        text: str,
        *,
        allowed_special: Literal["all"] | AbstractSet[str] = _NONE,
        disallowed_special: Literal["all"] | Collection[str] = "all",
    ) -> npt.NDArray[np.uint32]:
        """Return the ids of a text as an array; as `encode`, but a lone surrogate raises `UnicodeEncodeError`.

        Examples
        --------
        >>> import bytepair.tiktoken as tiktoken
        >>> tiktoken.get_encoding("gpt2").encode_to_numpy("hello world")
        array([31373,   995], dtype=uint32)
        """
        allowed, disallowed = self._chosen(allowed_special, disallowed_special)
        self._refuse(text, disallowed)
        return self._core_bpe.encode_to_array(text, allowed)

    def encode_ordinary_batch(self, text: list[str], *, num_threads: int = 8) -> list[list[int]]:
        """Return the ids of many texts, special tokens being plain text; the threads are the core's own.

        Examples
        --------
        >>> import bytepair.tiktoken as tiktoken
        >>> tiktoken.get_encoding("gpt2").encode_ordinary_batch(["hello", " world"])
        [[31373], [995]]
        """
        _check_threads(num_threads)
        return self._core_bpe.encode_batch(list(text), _NONE, num_threads)

    def encode_batch(
        self,
        text: list[str],
        *,
        num_threads: int = 8,
        allowed_special: Literal["all"] | AbstractSet[str] = _NONE,
        disallowed_special: Literal["all"] | Collection[str] = "all",
    ) -> list[list[int]]:
        """Return the ids of many texts, each as `encode` gives them; the threads are the core's own.

        Examples
        --------
        >>> import bytepair.tiktoken as tiktoken
        >>> tiktoken.get_encoding("gpt2").encode_batch(["hello", " world"])
        [[31373], [995]]
        """
        if disallowed_special != "all":
            disallowed_special = frozenset(disallowed_special)
        allowed, disallowed = self._chosen(allowed_special, disallowed_special)
        _check_threads(num_threads)
        texts = list(text)
        for place, item in enumerate(texts):
            try:
                self._refuse(item, disallowed)
            except Exception:
                # The first text that cannot be encoded names the reason: an earlier one may have its own.
                if place:
                    self._core_bpe.encode_batch(texts[:place], allowed, num_threads)
                raise
        return self._core_bpe.encode_batch(texts, allowed, num_threads)

    def encode_with_unstable(
        self,
        text: str,
        *,
        allowed_special: Literal["all"] | AbstractSet[str] = _NONE,
        disallowed_special: Literal["all"] | Collection[str] = "all",
    ) -> tuple[list[int], list[list[int]]]:
        """Return the ids that no more text can change, and what the rest may become; as `encode`, but strict.

        Returns
        -------
        stable : list of int
        completions : list of list of int
            Sorted. Each covers the rest of the text and ends with the token that covers its end.

        Raises
        ------
        ValueError
            As for `encode`; a lone surrogate raises `UnicodeEncodeError`.

        Examples
        --------
        >>> import bytepair.tiktoken as tiktoken
        >>> stable, completions = tiktoken.get_encoding("gpt2").encode_with_unstable("hello fanta")
        >>> stable, completions[-1]
        ([31373], [30162])
        """
        allowed, disallowed = self._chosen(allowed_special, disallowed_special)
        self._refuse(text, disallowed)
        return self._core_bpe.encode_with_unstable(text, allowed)

    def encode_single_token(self, text_or_bytes: str | bytes) -> int:
        """Return the id of a token, special or not.

        Raises
        ------
        KeyError
            There is no such token.

        Examples
        --------
        >>> import bytepair.tiktoken as tiktoken
        >>> tiktoken.get_encoding("gpt2").encode_single_token(" world")
        995
        """
        return self._core_bpe.encode_single_token(_bytes(text_or_bytes))

    def _encode_single_piece(self, text_or_bytes: str | bytes) -> list[int]:
        return self._core_bpe.encode_single_piece(_bytes(text_or_bytes))

    def _encode_bytes(self, text: bytes) -> list[int]:
        return self._core_bpe.encode_bytes(text)

    def _encode_only_native_bpe(self, text: str) -> list[int]:
        return self._core_bpe.encode(text, _NONE)

    # Decoding

    def decode_bytes(self, tokens: Sequence[int]) -> bytes:
        """Return the bytes of ids.

        Raises
        ------
        KeyError
            An id stands for no token.
        OverflowError
            An id is negative or at least 2**32.

        Examples
        --------
        >>> import bytepair.tiktoken as tiktoken
        >>> tiktoken.get_encoding("gpt2").decode_bytes([31373, 995])
        b'hello world'
        """
        return self._core_bpe.decode_bytes(tokens)

    def decode(self, tokens: Sequence[int], errors: str = "replace") -> str:
        """Return the text of ids; where the bytes are not UTF-8, `errors` decides as in `bytes.decode`.

        Raises
        ------
        KeyError, OverflowError
            As for `decode_bytes`.
        UnicodeDecodeError
            The bytes are not UTF-8 and `errors` is "strict".

        Examples
        --------
        >>> import bytepair.tiktoken as tiktoken
        >>> tiktoken.get_encoding("gpt2").decode([31373, 995])
        'hello world'
        """
        return self.decode_bytes(tokens).decode("utf-8", errors=errors)

    def decode_single_token_bytes(self, token: int) -> bytes:
        """Return the bytes of one token.

        Raises
        ------
        KeyError
            The id stands for no token.

        Examples
        --------
        >>> import bytepair.tiktoken as tiktoken
        >>> tiktoken.get_encoding("gpt2").decode_single_token_bytes(995)
        b' world'
        """
        return self._core_bpe.decode_single_token_bytes(token)

    def decode_tokens_bytes(self, tokens: Sequence[int]) -> list[bytes]:
        """Return the bytes of each of some ids.

        Examples
        --------
        >>> import bytepair.tiktoken as tiktoken
        >>> tiktoken.get_encoding("gpt2").decode_tokens_bytes([31373, 995])
        [b'hello', b' world']
        """
        return [self.decode_single_token_bytes(token) for token in tokens]

    def decode_with_offsets(self, tokens: Sequence[int]) -> tuple[str, list[int]]:
        """Return the text of ids, and the index of the character in which each token starts.

        Raises
        ------
        UnicodeDecodeError
            The bytes are not UTF-8.

        Examples
        --------
        >>> import bytepair.tiktoken as tiktoken
        >>> tiktoken.get_encoding("gpt2").decode_with_offsets([31373, 995])
        ('hello world', [0, 5])
        """
        parts = self.decode_tokens_bytes(tokens)
        offsets = []
        n_characters = 0
        for part in parts:
            # A token that starts inside a character starts where the character does.
            offsets.append(max(0, n_characters - _continues(part[0])))
            n_characters += sum(not _continues(byte) for byte in part)
        return b"".join(parts).decode(), offsets

    def decode_batch(
        self, batch: Sequence[Sequence[int]], *, errors: str = "replace", num_threads: int = 8
    ) -> list[str]:
        """Return the texts of many lists of ids, each as `decode` gives it.

        Examples
        --------
        >>> import bytepair.tiktoken as tiktoken
        >>> tiktoken.get_encoding("gpt2").decode_batch([[31373], [995]])
        ['hello', ' world']
        """
        _check_threads(num_threads)
        return [self.decode(tokens, errors) for tokens in batch]

    def decode_bytes_batch(self, batch: Sequence[Sequence[int]], *, num_threads: int = 8) -> list[bytes]:
        """Return the bytes of many lists of ids.

        Examples
        --------
        >>> import bytepair.tiktoken as tiktoken
        >>> tiktoken.get_encoding("gpt2").decode_bytes_batch([[31373], [995]])
        [b'hello', b' world']
        """
        _check_threads(num_threads)
        return [self.decode_bytes(tokens) for tokens in batch]

    # The vocabulary

    def token_byte_values(self) -> list[bytes]:
        """Return the bytes of all tokens that are not special, sorted."""
        return self._core_bpe.token_byte_values()

    @property
    def eot_token(self) -> int:
        """The id of ``<|endoftext|>``; `KeyError` where there is none."""
        return self._special_tokens["<|endoftext|>"]

    @cached_property
    def special_tokens_set(self) -> set[str]:
        """The special tokens."""
        return set(self._special_tokens)

    def is_special_token(self, token: int) -> bool:
        """Return whether an id is that of a special token.

        Examples
        --------
        >>> import bytepair.tiktoken as tiktoken
        >>> tiktoken.get_encoding("gpt2").is_special_token(50256)
        True
        """
        assert isinstance(token, int)
        return token in self._special_token_values

    @property
    def n_vocab(self) -> int:
        """One more than the largest id."""
        return self.max_token_value + 1

    # Pickling

    def __getstate__(self) -> str | dict[str, Any]:
        if self._is_builtin:
            return self.name
        return {
            "name": self.name,
            "pat_str": self._pat_str,
            "mergeable_ranks": self._mergeable_ranks,
            "special_tokens": self._special_tokens,
        }

    def __setstate__(self, value: str | Mapping[str, Any]) -> None:
        if isinstance(value, str):
            from bytepair.tiktoken.registry import get_encoding

            self.__dict__.update(get_encoding(value).__dict__)
        else:
            self.__init__(**value)  # type: ignore[misc]

    # Special tokens

    def _chosen(
        self, allowed_special: Literal["all"] | AbstractSet[str], disallowed_special: Literal["all"] | Iterable[str]
    ) -> tuple[AbstractSet[str], AbstractSet[str]]:
        """Return which special tokens become ids, and which texts are refused."""
        everything = self.special_tokens_set
        allowed = everything if allowed_special == "all" else allowed_special
        if disallowed_special == "all":
            return allowed, everything if allowed == _NONE else everything - allowed
        # An iterator is true, and if it is empty tiktoken refuses every text, as if it held an empty one.
        return allowed, frozenset(disallowed_special) or {""} if disallowed_special else _NONE

    def _refuse(self, text: object, disallowed: AbstractSet[str]) -> None:
        """Raise where a text contains one of `disallowed`."""
        if not disallowed:
            return
        if not isinstance(text, str):
            try:
                memoryview(text)  # type: ignore[arg-type]
            except TypeError:
                raise TypeError("expected string or buffer") from None
            raise TypeError("cannot use a string pattern on a bytes-like object")
        everything = self.special_tokens_set
        # To look for all special tokens is prepared; most texts have none.
        if (disallowed is everything or disallowed <= everything) and self._core_bpe.first_special(text, None) is None:
            return
        token = self._core_bpe.first_special(text, disallowed)
        if token is not None:
            raise ValueError(
                f"Encountered text corresponding to disallowed special token {token!r}.\n"
                "If you want this text to be encoded as a special token, "
                f"pass it to `allowed_special`, e.g. `allowed_special={{{token!r}, ...}}`.\n"
                f"If you want this text to be encoded as normal text, disable the check for this token "
                f"by passing `disallowed_special=(enc.special_tokens_set - {{{token!r}}})`.\n"
                "To disable this check for all special tokens, pass `disallowed_special=()`.\n"
            )


def _bytes(text_or_bytes: str | bytes) -> bytes:
    return text_or_bytes.encode() if isinstance(text_or_bytes, str) else text_or_bytes


def _continues(byte: int) -> bool:
    """Return whether a byte goes on with a character of UTF-8."""
    return 0x80 <= byte < 0xC0


def _check_threads(num_threads: int | None) -> None:
    """Check a number of threads, in the words of the pool that tiktoken makes of it."""
    if num_threads is not None and num_threads <= 0:
        raise ValueError("max_workers must be greater than 0")

import os
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, Self, final, overload

from typing_extensions import disjoint_base

from bytepair._types import Ids, Names, Pattern, Progress, Text

__all__ = ["UNICODE_VERSION", "VERSION", "Engine", "Tokenizer", "Trainer", "sniff"]

UNICODE_VERSION: Final[str]
VERSION: Final[str]

def sniff(data: bytes) -> Literal["tokenizer.json", "tekken.json", "tiktoken", "vocab.json"] | None: ...

@final
class Engine:
    @staticmethod
    def builtin_names() -> list[str]: ...
    @staticmethod
    def builtin(name: str) -> Engine | None: ...
    @staticmethod
    def from_form(form: bytes) -> Engine: ...
    @staticmethod
    def from_vocab(
        tokens: Sequence[tuple[int, bytes]],
        merges: Sequence[tuple[bytes, bytes]],
        pattern: Pattern,
        special_tokens: Sequence[tuple[str, int | None]],
    ) -> Engine: ...
    @staticmethod
    def from_tiktoken(data: bytes, pattern: Pattern, special_tokens: Sequence[tuple[str, int | None]]) -> Engine: ...
    @staticmethod
    def from_gpt2(
        vocab: bytes,
        merges: bytes,
        special_tokens_map: bytes | None,
        special_tokens: Sequence[str],
        pattern: Pattern,
    ) -> Engine: ...
    @staticmethod
    def from_huggingface(data: bytes) -> Engine: ...
    @staticmethod
    def from_gguf(
        model: str, pre: str | None, tokens: Sequence[str], types: Sequence[int], merges: Sequence[str]
    ) -> Engine: ...
    @staticmethod
    def from_tekken(data: bytes) -> Engine: ...

@final
class Trainer:
    def __new__(
        cls,
        pattern: Pattern,
        special_tokens: Sequence[str],
        *,
        max_merges: int,
        tie: str,
        min_frequency: int,
        max_token_length: int | None,
        num_threads: int | None,
        progress: Progress | None,
    ) -> Self: ...
    def add_documents(self, documents: Sequence[Text], first: int, total: int | None) -> None: ...
    def add_file(self, path: str | os.PathLike[str], total: int | None) -> None: ...
    def train(self) -> tuple[Engine, dict[str, Any]]: ...

@disjoint_base
class Tokenizer:
    def __new__(cls, engine: Engine) -> Self: ...
    def encode(
        self,
        text: Text,
        *,
        allowed_special: Names = None,
        disallowed_special: Names = None,
        errors: str = "strict",
    ) -> list[int]: ...
    def _encode_to_buffer(
        self,
        text: Text,
        dtype: str,
        *,
        allowed_special: Names = None,
        disallowed_special: Names = None,
        errors: str = "strict",
    ) -> bytearray: ...
    def encode_batch(
        self,
        texts: Iterable[Text],
        *,
        num_threads: int | None = None,
        allowed_special: Names = None,
        disallowed_special: Names = None,
        errors: str = "strict",
    ) -> list[list[int]]: ...
    def _encode_batch_to_buffers(
        self,
        texts: Iterable[Text],
        dtype: str,
        *,
        num_threads: int | None = None,
        allowed_special: Names = None,
        disallowed_special: Names = None,
        errors: str = "strict",
    ) -> tuple[bytearray, bytearray]: ...
    @overload
    def count(self, text: Text, *, limit: None = None) -> int: ...
    @overload
    def count(self, text: Text, *, limit: int) -> int | None: ...
    def decode(self, ids: Ids, errors: str = "replace") -> str: ...
    def decode_bytes(self, ids: Ids) -> bytes: ...
    def decode_batch(self, batch: Iterable[Ids], errors: str = "replace") -> list[str]: ...
    def token_to_id(self, token: Text) -> int | None: ...
    def id_to_bytes(self, token_id: int) -> bytes: ...
    def token_bytes(self) -> list[bytes | None]: ...
    @property
    def vocab(self) -> dict[int, bytes]: ...
    @property
    def merges(self) -> list[tuple[bytes, bytes]]: ...
    @property
    def unreachable_tokens(self) -> list[int]: ...
    @property
    def special_tokens(self) -> dict[str, int]: ...
    @property
    def vocab_size(self) -> int: ...
    @property
    def n_vocab(self) -> int: ...
    @property
    def name(self) -> str | None: ...
    @property
    def pattern(self) -> Pattern: ...
    @property
    def fingerprint(self) -> str: ...
    def _form(self) -> bytes: ...
    def _to_huggingface(self) -> str: ...
    def _to_tiktoken(self) -> str: ...
    def _to_gpt2(self) -> tuple[str, str, str | None]: ...

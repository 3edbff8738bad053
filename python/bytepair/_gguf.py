"""The tokenizer inside a GGUF file: the fields of its header."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gguf.gguf_reader import ReaderField

from bytepair import _core
from bytepair._gguf_reader import BoundedReader, damage, value_of
from bytepair.errors import FormatError

__all__ = ["read"]

_PREFIX = "tokenizer.ggml."

# What the format calls byte-level BPE.
_MODEL = "gpt2"

# Fields that do not bear on the ids of a text, whatever they say; so do not those of single tokens' ids.
_WITHOUT_EFFECT = {
    *("token_type_count", "scores", "add_bos_token", "add_eos_token", "add_sep_token", "eot_token_ids"),
    *("seperator_token_id", "suppress_tokens"),
}

# Fields that must be absent or false.
_MUST_BE_FALSE = {"add_space_prefix", "remove_extra_whitespaces"}


class _Header(BoundedReader):
    """The fields of a GGUF file; tensors are not looked at."""

    def _build_tensor_info(self, offs: int, count: int) -> tuple[int, list[ReaderField]]:
        return offs, []


def read(path: Path) -> _core.Engine:
    """Read the tokenizer of a GGUF file.

    Raises
    ------
    FormatError
        The header is damaged, or its tokenizer is not byte-level BPE with a split that is known by name.
    """
    with damage():
        fields = {name: value_of(field) for name, field in _Header(path).fields.items() if name.startswith(_PREFIX)}
    model, pre = (_text(fields, name) for name in ("model", "pre"))
    if model is None:
        raise _field_fault(f"{_PREFIX}model", "the field is missing: the file holds no tokenizer")
    if model != _MODEL:
        # Refused there; another kind of tokenizer has other fields.
        return _core.Engine.from_gguf(model, pre, [], [], [])
    for name, content in fields.items():
        _check_effect(name, content)
    tokens = _list(fields, "tokens", str)
    types = _list(fields, "token_type", int)
    merges = _list(fields, "merges", str)
    return _core.Engine.from_gguf(model, pre, tokens, types, merges)


def _text(fields: dict[str, object], name: str) -> str | None:
    value = fields.get(_PREFIX + name)
    if value is not None and not isinstance(value, str):
        raise _field_fault(_PREFIX + name, "must be a string")
    return value


def _check_effect(name: str, value: object) -> None:
    """Refuse a field that could change ids and is not modelled."""
    short = name.removeprefix(_PREFIX)
    if short in ("model", "pre", "tokens", "token_type", "merges") or short.endswith("_token_id"):
        return
    if short in _WITHOUT_EFFECT or (short in _MUST_BE_FALSE and value is False):
        return
    raise _field_fault(name, "not modelled, and ignoring it could change ids")


def _list(fields: dict[str, object], name: str, kind: type) -> list[Any]:
    values = fields.get(_PREFIX + name)
    if not isinstance(values, list):
        raise _field_fault(_PREFIX + name, "the field is missing" if values is None else "must be an array")
    if not all(type(value) is kind for value in values):
        raise _field_fault(_PREFIX + name, f"must be an array of {'strings' if kind is str else 'integers'}")
    return values


def _field_fault(name: str, message: str) -> FormatError:
    return FormatError(f"{name}: {message}", name)

"""The encodings by name: all of them come with the package."""

from __future__ import annotations

from bytepair.tiktoken.core import Encoding

__all__ = ["TIKTOKEN_VERSION", "get_encoding", "list_encoding_names"]

# The version whose behaviour this is.
TIKTOKEN_VERSION = "0.14.0"

_GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
_CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$"
    r"|\s*[\r\n]|\s+(?!\S)|\s"
)
_O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

_GPT2_SPECIAL = {"<|endoftext|>": 50256}
_P50K_EDIT_SPECIAL = _GPT2_SPECIAL | {"<|fim_prefix|>": 50281, "<|fim_middle|>": 50282, "<|fim_suffix|>": 50283}
_CL100K_SPECIAL = {
    "<|endoftext|>": 100257,
    "<|fim_prefix|>": 100258,
    "<|fim_middle|>": 100259,
    "<|fim_suffix|>": 100260,
    "<|endofprompt|>": 100276,
}
_O200K_SPECIAL = {"<|endoftext|>": 199999, "<|endofprompt|>": 200018}
_HARMONY_NAMES = {
    200002: "return",
    200003: "constrain",
    200005: "channel",
    200006: "start",
    200007: "end",
    200008: "message",
    200012: "call",
}
# Id 200018 is both "<|endofprompt|>", which it decodes to, and "<|reserved_200018|>".
_HARMONY_SPECIAL = (
    _O200K_SPECIAL
    | {"<|startoftext|>": 199998}
    | {f"<|{_HARMONY_NAMES.get(token_id, f'reserved_{token_id}')}|>": token_id for token_id in range(200000, 201088)}
)

# Of each encoding: whose ranks it has, its pattern and its special tokens.
_DEFINITIONS = {
    "gpt2": ("gpt2", _GPT2, _GPT2_SPECIAL),
    "r50k_base": ("r50k_base", _GPT2, _GPT2_SPECIAL),
    "p50k_base": ("p50k_base", _GPT2, _GPT2_SPECIAL),
    "p50k_edit": ("p50k_base", _GPT2, _P50K_EDIT_SPECIAL),
    "cl100k_base": ("cl100k_base", _CL100K, _CL100K_SPECIAL),
    "o200k_base": ("o200k_base", _O200K, _O200K_SPECIAL),
    "o200k_harmony": ("o200k_base", _O200K, _HARMONY_SPECIAL),
}

_encodings: dict[str, Encoding] = {}


def get_encoding(encoding_name: str) -> Encoding:
    """Return an encoding, the same object each time.

    Parameters
    ----------
    encoding_name : {"gpt2", "r50k_base", "p50k_base", "p50k_edit", "cl100k_base", "o200k_base", "o200k_harmony"}

    Returns
    -------
    Encoding

    Raises
    ------
    ValueError
        There is no such encoding.

    Examples
    --------
    >>> get_encoding("cl100k_base").encode("hello world")
    [15339, 1917]
    """
    if not isinstance(encoding_name, str):
        raise ValueError(f"Expected a string in get_encoding, got {type(encoding_name)}")
    if encoding_name not in _DEFINITIONS:
        raise ValueError(
            f"Unknown encoding {encoding_name}.\nPlugins found: ['tiktoken_ext.openai_public']\n"
            f"tiktoken version: {TIKTOKEN_VERSION} (are you on latest?)"
        )
    if encoding_name not in _encodings:
        base, pat_str, special_tokens = _DEFINITIONS[encoding_name]
        encoding = Encoding._of_builtin(encoding_name, base, pat_str, dict(special_tokens))
        # Two threads may both have built it; all callers get the one that was first.
        _encodings.setdefault(encoding_name, encoding)
    return _encodings[encoding_name]


def list_encoding_names() -> list[str]:
    """Return the names of all encodings.

    Returns
    -------
    list of str

    Examples
    --------
    >>> list_encoding_names()[:3]
    ['gpt2', 'r50k_base', 'p50k_base']
    """
    return list(_DEFINITIONS)

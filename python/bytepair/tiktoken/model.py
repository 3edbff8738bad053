"""Which encoding each model of OpenAI's reads."""

from __future__ import annotations

from bytepair.tiktoken.core import Encoding
from bytepair.tiktoken.registry import get_encoding

__all__ = ["MODEL_PREFIX_TO_ENCODING", "MODEL_TO_ENCODING", "encoding_for_model", "encoding_name_for_model"]

_PREFIXES = {
    "o200k_base": "o1- o3- o4-mini- gpt-5 gpt-4.5- gpt-4.1- chatgpt-4o- gpt-4o-",
    "cl100k_base": "gpt-4- gpt-3.5-turbo- gpt-35-turbo-",
    "o200k_harmony": "gpt-oss-",
}
_FINE_TUNED = {
    "o200k_base": "ft:gpt-4o",
    "cl100k_base": "ft:gpt-4 ft:gpt-3.5-turbo ft:davinci-002 ft:babbage-002",
}
_MODELS = {
    "o200k_base": "o1 o3 o4-mini gpt-5 gpt-4.1 gpt-4o",
    "cl100k_base": "gpt-4 gpt-3.5-turbo gpt-3.5 gpt-35-turbo davinci-002 babbage-002 "
    "text-embedding-ada-002 text-embedding-3-small text-embedding-3-large",
    "p50k_base": "text-davinci-003 text-davinci-002 code-davinci-002 code-davinci-001 code-cushman-002 "
    "code-cushman-001 davinci-codex cushman-codex",
    "p50k_edit": "text-davinci-edit-001 code-davinci-edit-001",
    "r50k_base": "text-davinci-001 text-curie-001 text-babbage-001 text-ada-001 davinci curie babbage ada "
    "text-similarity-davinci-001 text-similarity-curie-001 text-similarity-babbage-001 text-similarity-ada-001 "
    "text-search-davinci-doc-001 text-search-curie-doc-001 text-search-babbage-doc-001 text-search-ada-doc-001 "
    "code-search-babbage-code-001 code-search-ada-code-001",
    "gpt2": "gpt2 gpt-2",
}


def _by_name(*tables: dict[str, str]) -> dict[str, str]:
    return {name: encoding for table in tables for encoding, names in table.items() for name in names.split()}


# The first prefix that fits decides, so the order tells: "ft:gpt-4o" is before "ft:gpt-4".
MODEL_PREFIX_TO_ENCODING = _by_name(_PREFIXES, _FINE_TUNED)
MODEL_TO_ENCODING = _by_name(_MODELS)


def encoding_name_for_model(model_name: str) -> str:
    """Return the name of the encoding that a model reads.

    Parameters
    ----------
    model_name : str
        A model, a dated version of one, or a fine-tuned one (``ft:...``).

    Returns
    -------
    str

    Raises
    ------
    KeyError
        The model is not known.

    Examples
    --------
    >>> encoding_name_for_model("gpt-4-0314"), encoding_name_for_model("gpt-5-mini")
    ('cl100k_base', 'o200k_base')
    """
    if model_name in MODEL_TO_ENCODING:
        return MODEL_TO_ENCODING[model_name]
    for prefix, encoding_name in MODEL_PREFIX_TO_ENCODING.items():
        if model_name.startswith(prefix):
            return encoding_name
    raise KeyError(
        f"Could not automatically map {model_name} to a tokeniser. "
        "Please use `tiktoken.get_encoding` to explicitly get the tokeniser you expect."
    )


def encoding_for_model(model_name: str) -> Encoding:
    """Return the encoding that a model reads.

    Parameters
    ----------
    model_name : str
        As for `encoding_name_for_model`.

    Returns
    -------
    Encoding

    Raises
    ------
    KeyError
        The model is not known.

    Examples
    --------
    >>> encoding_for_model("gpt-4o")
    <Encoding 'o200k_base'>
    """
    return get_encoding(encoding_name_for_model(model_name))

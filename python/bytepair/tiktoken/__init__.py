"""A drop-in for `tiktoken` 0.14: ``import bytepair.tiktoken as tiktoken``.

Ids, arguments, exceptions and their messages are tiktoken's; no network is used, and nothing panics or hangs. What is
not alike is listed in `docs/migrating-from-tiktoken.md`.

>>> import bytepair.tiktoken as tiktoken
>>> tiktoken.encoding_for_model("gpt-4o").encode("hello world")
[24912, 2375]
"""

from bytepair.tiktoken.core import Encoding
from bytepair.tiktoken.model import encoding_for_model, encoding_name_for_model
from bytepair.tiktoken.registry import TIKTOKEN_VERSION, get_encoding, list_encoding_names

__all__ = [
    "Encoding",
    "__version__",
    "encoding_for_model",
    "encoding_name_for_model",
    "get_encoding",
    "list_encoding_names",
]

__version__ = TIKTOKEN_VERSION

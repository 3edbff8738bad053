"""Byte-level BPE tokenizers, trained, encoded and decoded exactly and fast.

>>> import bytepair
>>> tokenizer = bytepair.Tokenizer.train(["low low low lower newest newest widest"], vocab_size=261)
>>> ids = tokenizer.encode("lowest")
>>> [tokenizer.id_to_bytes(token_id) for token_id in ids]
[b'low', b'es', b't']
>>> tokenizer.decode(ids)
'lowest'
"""

from bytepair._core import UNICODE_VERSION, VERSION, clear_caches, set_cache_limit
from bytepair._report import SourceFigures, TrainingReport
from bytepair.counts import Counts
from bytepair.errors import (
    BytepairError,
    FormatError,
    InternalError,
    MissingByteError,
    PatternError,
    ShapeError,
    SpecialTokenError,
    TokenIdError,
    TrainingError,
    VocabularyError,
)
from bytepair.sources import Files
from bytepair.tokenizer import Tokenizer

__all__ = [
    "UNICODE_VERSION",
    "BytepairError",
    "Counts",
    "Files",
    "FormatError",
    "InternalError",
    "MissingByteError",
    "PatternError",
    "ShapeError",
    "SourceFigures",
    "SpecialTokenError",
    "TokenIdError",
    "Tokenizer",
    "TrainingError",
    "TrainingReport",
    "VocabularyError",
    "__version__",
    "clear_caches",
    "set_cache_limit",
]

__version__ = VERSION

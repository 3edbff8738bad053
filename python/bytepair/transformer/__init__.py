"""A decoder-only transformer in NumPy, to read in one sitting: it takes arrays of token ids and gives logits."""

from bytepair.transformer.cache import KVCache
from bytepair.transformer.config import COMPONENTS, PREFILL_CHUNK, Config
from bytepair.transformer.loss import cross_entropy, perplexity, sample_batch
from bytepair.transformer.model import Transformer
from bytepair.transformer.ops import count_flops
from bytepair.transformer.sample import distribution, generate
from bytepair.transformer.weights import parameter_shapes

__all__ = [
    "COMPONENTS",
    "PREFILL_CHUNK",
    "Config",
    "KVCache",
    "Transformer",
    "count_flops",
    "cross_entropy",
    "distribution",
    "generate",
    "parameter_shapes",
    "perplexity",
    "sample_batch",
]

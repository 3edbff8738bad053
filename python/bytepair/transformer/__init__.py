"""A decoder-only transformer in NumPy, to read in one sitting: it takes arrays of token ids and gives logits."""

from bytepair.transformer.config import COMPONENTS, PREFILL_CHUNK, Config
from bytepair.transformer.ops import count_flops

__all__ = ["COMPONENTS", "PREFILL_CHUNK", "Config", "count_flops"]

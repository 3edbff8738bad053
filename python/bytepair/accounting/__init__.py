"""What a transformer costs, as exact integers: parameters, FLOPs, memory and time, each with its formula.

The formulas are tested against what `bytepair.transformer` executes and holds, integer for integer. FLOPs are those of
matrix products, and one multiply-add is 2.

>>> from bytepair.accounting import forward_flops
>>> from bytepair.transformer import Config
>>> print(forward_flops(Config.preset("gpt2-xl-notes"), 1024))
FLOPs of a forward pass                                            FLOPs   share
  qkv          2·L·B·T·D·(H + 2·K)·A                     754,974,720,000 16.73 %
  scores       2·L·B·H·A·T·S                             161,061,273,600  3.57 %
  values       2·L·B·H·A·T·S                             161,061,273,600  3.57 %
  output       2·L·B·T·H·A·D                             251,658,240,000  5.58 %
  ffn          2·L·B·T·D·F·3                           3,019,898,880,000 66.91 %
  head         2·B·T·D·V                                 164,682,137,600  3.65 %
  total                                                4,513,336,524,800
  B 1 · T 1,024 · S 1,024 · D 1,600 · H 25 · K 25 · A 64 · F 6,400 · V 50,257
  L 48
"""

from bytepair.accounting.breakdown import Breakdown
from bytepair.accounting.flops import decode_flops, forward_flops
from bytepair.accounting.memory import Intensity, arithmetic_intensity, decode_bytes, kv_cache_bytes, prefill_bytes
from bytepair.accounting.notes import Finding, check_notes
from bytepair.accounting.parameters import parameters, weight_bytes
from bytepair.accounting.plot import picture
from bytepair.accounting.roofline import Bound, Machine, Model, Roofline, measure_machine, roofline
from bytepair.accounting.scaling import Scaling, crossover, scaling
from bytepair.accounting.training import (
    TrainingTime,
    activations,
    max_batch,
    training_flops,
    training_memory,
    training_time,
)

__all__ = [
    "Bound",
    "Breakdown",
    "Finding",
    "Intensity",
    "Machine",
    "Model",
    "Roofline",
    "Scaling",
    "TrainingTime",
    "activations",
    "arithmetic_intensity",
    "check_notes",
    "crossover",
    "decode_bytes",
    "decode_flops",
    "forward_flops",
    "kv_cache_bytes",
    "max_batch",
    "measure_machine",
    "parameters",
    "picture",
    "prefill_bytes",
    "roofline",
    "scaling",
    "training_flops",
    "training_memory",
    "training_time",
    "weight_bytes",
]

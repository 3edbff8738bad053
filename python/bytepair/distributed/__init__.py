"""Counting, training and encoding over many machines.

A shard is a file of documents. Two functions do what there is to do for one, `count_shard` and `encode_shard`, in any
process on any machine; `merge_counts` adds up files of counts, in any order. That is all that a cluster of any kind has
to call. `train` and `encode` do the same over Ray (``pip install 'bytepair[ray]'``).

Merges and ids are those of one process.
"""

from bytepair.distributed.over_ray import encode, train
from bytepair.distributed.shards import count_shard, encode_shard, merge_counts

__all__ = ["count_shard", "encode", "encode_shard", "merge_counts", "train"]

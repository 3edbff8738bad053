"""Shards over Ray: a task for each, which may die and be done again, and the sum of what they give."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bytepair import _files
from bytepair._training import options_for
from bytepair.counts import Counts
from bytepair.distributed.shards import EncodedShard, TokenDtype, checked, count_into, encode_shard
from bytepair.errors import TrainingError
from bytepair.sources import Files, Skipped
from bytepair.tokenizer import Tokenizer

if TYPE_CHECKING:
    from types import ModuleType

    from bytepair._types import Pattern, Progress, Tie

__all__ = ["encode", "train"]

# So many counts are added up by one task.
FAN_IN = 8


def train(
    shards: Files | Iterable[str | os.PathLike[str]],
    vocab_size: int = 50_257,
    *,
    pattern: Pattern = "gpt2",
    special_tokens: Iterable[str] | None = ("<|endoftext|>",),
    tie: Tie = "hf",
    min_frequency: int = 1,
    max_token_length: int | None = None,
    memory_limit: int | None = None,
    progress: Progress | None = None,
) -> Tokenizer:
    """Learn a vocabulary from shards that are counted over a Ray cluster.

    It is the one that `Tokenizer.train` learns from all of them. Each shard is counted by a task with one thread, sums
    are made by eights while others are counted, and the merges are learned here. A task whose worker dies is done again
    by Ray, and counts once.

    Parameters
    ----------
    shards : Files, or iterable of str or path
        The files of documents, which every machine of the cluster can read. Each is a shard.
    vocab_size, pattern, special_tokens, tie, min_frequency, max_token_length
        As for `Tokenizer.train`.
    memory_limit : int, default 2 GiB
        As for `Counts`, of each task that counts.
    progress : callable, optional
        As for `Tokenizer.train`, but that "counting" is told in shards.

    Returns
    -------
    Tokenizer

    Raises
    ------
    ImportError
        Ray is not installed.
    TrainingError
        There is no shard, or one is there twice; or as for `Tokenizer.train`.
    FormatError, OSError
        What a task raised: a shard is damaged, a row has no document, or a file cannot be read.
    ray.exceptions.WorkerCrashedError
        A task died each time that it was tried.

    Notes
    -----
    O(n) for n bytes, over all workers, then as training on `Counts`. A worker holds the counts of a shard, or those
    that it adds up; between tasks they lie in Ray's object store.

    Examples
    --------
    ::

        from bytepair.distributed import train
        tokenizer = train(Path("/data").glob("*.jsonl.zst"), vocab_size=32_768)
    """
    ray = _ray()
    files = _once(shards)
    # What is wrong with them is said before anything is counted.
    counts = Counts(pattern, special_tokens, memory_limit=memory_limit)
    options_for(counts, vocab_size, tie, min_frequency, max_token_length).trainer(counts)
    names = counts.special_tokens
    count, add = ray.remote(_count), ray.remote(_add)
    tasks = {
        path: count.options(num_returns=2, name=f"count {path}").remote(
            files.with_paths([path]), pattern, names, memory_limit
        )
        for path in files.paths
    }
    total, skipped = _sum(ray, add, {done: counts for counts, done in tasks.values()}, progress)
    tokenizer = Tokenizer.train(
        total,
        vocab_size,
        tie=tie,
        min_frequency=min_frequency,
        max_token_length=max_token_length,
        progress=None if progress is None else _but_counting(progress),
    )
    report = tokenizer.training_report
    assert report is not None
    tokenizer._training_report = report._replace(n_skipped=skipped.n_rows, skipped=skipped.reasons)
    skipped.warn(2)
    return tokenizer


def encode(
    shards: Files | Iterable[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    tokenizer: Tokenizer,
    *,
    dtype: TokenDtype | None = None,
    separator: str | None = "<|endoftext|>",
    progress: Progress | None = None,
) -> list[EncodedShard]:
    """Encode shards over a Ray cluster, each into a file of token ids, and write a manifest.

    Parameters
    ----------
    shards : Files, or iterable of str or path
        The files of documents, which every machine of the cluster can read. Each is a shard.
    folder : path
        Where the token files go, ``00000.npy`` and so on in the order of the shards, and ``manifest.json``; it is made
        if it is not there, and every machine can write to it.
    tokenizer, dtype, separator
        As for `encode_shard`.
    progress : callable, optional
        Called with "encoding", the shards done and all of them.

    Returns
    -------
    list of EncodedShard
        The rows of the manifest, in the order of the shards.

    Raises
    ------
    ImportError, TrainingError, FormatError, OSError, ray.exceptions.WorkerCrashedError
        As for `train`. There is then no new manifest.
    ValueError
        As for `encode_shard`.

    Notes
    -----
    O(n) for n bytes, over all workers. Nothing but the rows of the manifest comes back here.
    """
    ray = _ray()
    files = _once(shards)
    kind, _ = checked(tokenizer, dtype, separator)
    # Workers have other working folders.
    out = Path(folder).absolute()
    out.mkdir(exist_ok=True)
    task, kept = ray.remote(_encode), ray.put(tokenizer)
    tasks = [
        task.options(name=f"encode {path}").remote(
            files.with_paths([path]), os.fspath(out / f"{number:05}.npy"), kept, kind, separator
        )
        for number, path in enumerate(files.paths)
    ]
    rows: dict[Any, EncodedShard] = {}
    for n_done, (done, row) in enumerate(_done(ray, tasks), 1):
        rows[done] = row
        if progress is not None:
            progress("encoding", n_done, len(tasks))
    in_order = [rows[done] for done in tasks]
    manifest = {
        "tokenizer": tokenizer.fingerprint,
        "vocab_size": tokenizer.n_vocab,
        "dtype": kind,
        "separator": separator,
        "n_documents": sum(row.n_documents for row in in_order),
        "n_bytes": sum(row.n_bytes for row in in_order),
        "n_tokens": sum(row.n_tokens for row in in_order),
        "shards": [row._replace(path=Path(row.path).name)._asdict() for row in in_order],
    }
    _files.write({out / "manifest.json": json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"})
    return in_order


# What runs on the workers


def _count(
    shard: Files, pattern: Pattern, special_tokens: tuple[str, ...], memory_limit: int | None
) -> tuple[Counts, Skipped]:
    counts = Counts(pattern, special_tokens, memory_limit=memory_limit)
    # The second is small: that it is there tells that the first is.
    skipped = count_into(counts, shard, 1)
    return counts, skipped


def _add(*counts: Counts) -> Counts:
    total, *others = counts
    # What comes from the object store is ours: each task has a copy of its own.
    for other in others:
        total.merge(other)
    return total


def _encode(shard: Files, out: str, tokenizer: Tokenizer, dtype: TokenDtype, separator: str | None) -> EncodedShard:
    return encode_shard(shard, out, tokenizer, dtype=dtype, separator=separator, num_threads=1)


# What runs here


def _ray() -> ModuleType:
    try:
        import ray
    except ImportError:
        raise ImportError("this needs the package ray: pip install 'bytepair[ray]'") from None
    module: ModuleType = ray
    return module


def _once(shards: Files | Iterable[str | os.PathLike[str]]) -> Files:
    files = shards if isinstance(shards, Files) else Files(shards)
    if not files.paths:
        raise TrainingError("there are no shards")
    seen: set[str] = set()
    for path in files.paths:
        file = os.path.realpath(path)
        if file in seen:
            raise TrainingError(f"the shard {path} is there twice")
        seen.add(file)
    # Workers have other working folders.
    return files.with_paths([Path(path).absolute() for path in files.paths])


def _done(ray: Any, waiting: list[Any]) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401
    """Yield references with their values, as they are done, and raise what a task raised, at once."""
    waiting = list(waiting)
    try:
        while waiting:
            done, waiting = ray.wait(waiting)
            for reference in done:
                yield reference, _get(ray, reference)
    finally:
        # Where one failed, or whoever waits has stopped, the others are of no use.
        for reference in waiting:
            ray.cancel(reference)


def _sum(
    ray: Any,  # noqa: ANN401
    add: Any,  # noqa: ANN401
    counts: dict[Any, Any],
    progress: Progress | None,
) -> tuple[Counts, Skipped]:
    """Return the sum of counts, made by a tree of tasks, and what was left out of them."""
    skipped = Skipped()
    levels: defaultdict[int, list[Any]] = defaultdict(list)
    for n_done, (done, left_out) in enumerate(_done(ray, list(counts)), 1):
        skipped = skipped.plus(left_out)
        levels[0].append(counts[done])
        level = 0
        while len(levels[level]) == FAN_IN:
            levels[level + 1].append(add.remote(*levels.pop(level)))
            level += 1
        if progress is not None:
            progress("counting", n_done, len(counts))
    rest = [reference for level in sorted(levels) for reference in levels[level]]
    while len(rest) > 1:
        rest = [add.remote(*rest[start : start + FAN_IN]) for start in range(0, len(rest), FAN_IN)]
    total: Counts = _get(ray, rest[0])
    return total, skipped


def _get(ray: Any, reference: Any) -> Any:  # noqa: ANN401
    """Return what a task gave; what it raised is raised as it was there."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, Exception):
            raise error.cause from None
        raise


def _but_counting(progress: Progress) -> Progress:
    """Leave out the stage that has been told already."""
    return lambda stage, done, total: None if stage == "counting" else progress(stage, done, total)

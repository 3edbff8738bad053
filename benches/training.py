"""One run of one trainer, in this process: as the worker of the package, with the works "train" and "phases" more."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "python" / "bytepair" / "_measure"))

import worker

GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

# A trainer takes documents, prepares what is not part of the time, and returns what trains. That returns what gives the
# tokens learned, in order, so that reading them is not part of the time either.
Trainer = Callable[[], Callable[[], list[bytes]]]


def bytepair_trainer(documents: list[str], task: worker.Task) -> Trainer:
    import bytepair

    def train() -> Callable[[], list[bytes]]:
        trained = bytepair.Tokenizer.train(
            documents, task["vocab_size"], special_tokens=(), tie=task["tie"], num_threads=threads(task)
        )
        return lambda: [left + right for left, right in trained.merges]

    return train


def threads(task: worker.Task) -> int | None:
    """Return how many threads a trainer may have; for as many as there are processors, None."""
    return task.get("threads") or None


def rustbpe_trainer(documents: list[str], task: worker.Task) -> Trainer:
    import rustbpe

    def train() -> Callable[[], list[bytes]]:
        tokenizer = rustbpe.Tokenizer()
        tokenizer.train_from_iterator(iter(documents), task["vocab_size"], pattern=GPT2_PATTERN)
        return lambda: [token for token, _ in tokenizer.get_mergeable_ranks()][256:]

    return train


def bpeasy_trainer(documents: list[str], task: worker.Task) -> Trainer:
    import bpeasy

    def train() -> Callable[[], list[bytes]]:
        ranks = bpeasy.train_bpe(iter(documents), GPT2_PATTERN, 1 << 20, task["vocab_size"])
        return lambda: sorted(ranks, key=ranks.get)[256:]

    return train


def tokenizers_trainer(documents: list[str], task: worker.Task) -> Trainer:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    def train() -> Callable[[], list[bytes]]:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=task["vocab_size"], initial_alphabet=alphabet, show_progress=False)
        tokenizer.train_from_iterator(documents, trainer)
        return lambda: unspelled(json.loads(tokenizer.to_str())["model"]["merges"])

    return train


def gigabpe_trainer(documents: list[str], task: worker.Task) -> Trainer:
    import gigabpe

    # It trains on files only, of which each line is a document, and numbers only the bytes that occur.
    text = "".join(documents).encode()
    file = tempfile.NamedTemporaryFile(suffix=".txt")  # noqa: SIM115
    file.write(text)
    file.flush()
    options = {"special_tokens": [], "pretokenizer": "bytelevel", "threads": threads(task) or os.cpu_count()}

    def train() -> Callable[[], list[bytes]]:
        _, merges = gigabpe.train_bpe([file.name], task["vocab_size"] - 256 + len(set(text)), **options)
        return lambda: unspelled(merges)

    return train


def unspelled(merges: Iterable[Iterable[str]]) -> list[bytes]:
    """Return the tokens of merges that are spelled in the letters of GPT-2."""
    own = [chr(byte) for byte in [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]]
    others = [byte for byte in range(256) if chr(byte) not in own]
    byte_of = {char: ord(char) for char in own} | {chr(256 + i): byte for i, byte in enumerate(others)}
    return [bytes(byte_of[char] for part in merge for char in part) for merge in merges]


def train(task: worker.Task, documents: list[str]) -> worker.Answer:
    """Learn a vocabulary; "cpu" is the time of all threads, "above" the most memory held, above the documents."""
    trainer = globals()[f"{task['engine']}_trainer"](documents, task)
    worker.forget_peak()
    before = worker.memory("VmRSS")
    start, start_cpu = time.perf_counter(), time.process_time()
    tokens = trainer()
    figures = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - start_cpu}
    peak = worker.memory("VmHWM")
    return figures | {"peak": peak, "above": peak - before}, digest_of(tokens())


def phases(task: worker.Task, documents: list[str]) -> worker.Answer:
    """Learn a vocabulary with bytepair, counting and merging apart."""
    import bytepair

    counts = bytepair.Counts(special_tokens=())
    start = time.perf_counter()
    counts.update(documents, num_threads=threads(task))
    counted = time.perf_counter()
    trained = bytepair.Tokenizer.train(counts, task["vocab_size"], special_tokens=(), tie=task["tie"])
    figures = {"counting": counted - start, "merging": time.perf_counter() - counted}
    return figures, digest_of([left + right for left, right in trained.merges])


def digest_of(tokens: list[bytes]) -> dict[str, str]:
    data = b"".join(len(token).to_bytes(4, "little") + token for token in tokens)
    return {"tokens": worker.digest(data)}


if __name__ == "__main__":
    worker.main({"train": train, "phases": phases})

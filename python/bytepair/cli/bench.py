"""Measure speed and memory on your own files, beside other libraries that are installed.

Every run is a process of its own, and ids and texts are compared before any time is shown.
"""

from __future__ import annotations

import argparse
import importlib.util
import pickle
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bytepair import Tokenizer
from bytepair._measure import rounds, table
from bytepair._processors import n_processors
from bytepair.cli import _common

# By the names that they are imported by: those that are measured where they are installed, and those to ask for.
_USUAL = ("tiktoken", "tokenizers", "gigatoken")
_PEERS = (*_USUAL, "kitoken", "snaptokens", "splintr")
# Of what: the call that does it for one text, and for all of them.
_CALLS = {
    "to lists": ("list", "list batch"),
    "to arrays": ("array", "array batch"),
    "counted": ("count", None),
    "decoded": ("text", None),
}
_FIGURES = ("cold", "warm", "above")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    _common.add_inputs(parser)
    _common.add_tokenizer(parser)
    parser.add_argument(
        "--against",
        type=_names,
        metavar="NAME,...",
        help=f"some of {', '.join(_PEERS)} (default: the first three, where installed)",
    )
    parser.add_argument(
        "--runs", type=_common.one_or_more, default=3, metavar="N", help="processes for each figure (default: 3)"
    )


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    peers = [name for name in _USUAL if importlib.util.find_spec(name)] if options.against is None else options.against
    for name in peers:
        if not importlib.util.find_spec(name):
            raise _common.fail(f"{name} is not installed")
    tokenizer = _common.load_tokenizer(options.tokenizer)
    texts = [text.decode(errors="replace") for _, text in _common.read_inputs(options.files)]
    n_bytes = sum(len(text.encode()) for text in texts)
    if n_bytes == 0:
        raise _common.fail("there is no text to measure")
    n_tokens = sum(map(tokenizer.count, texts))
    rows = _measured(tokenizer, texts, peers, options.runs)
    if options.json:
        given = {"files": len(texts), "bytes": n_bytes, "tokens": n_tokens, "bytes_per_token": n_bytes / n_tokens}
        _common.print_json(given | {"runs": options.runs, "measured": list(rows)})
        return 0
    files = "1 file" if len(texts) == 1 else f"{len(texts)} files"
    print(f"{files}, {n_bytes:,} bytes, {n_tokens:,} tokens, {n_bytes / n_tokens:.2f} bytes/token")
    print(f"medians of {options.runs}; x: how many times ours that is, by time or memory")
    for row in rows:
        title = f"{row['what']}, {row['threads']} thread{'s' if row['threads'] > 1 else ''}"
        print("\n" + table.title(f"{title:24}", _FIGURES))
        lefts = [f"  {engine:22}" for engine in row["contestants"]]
        for line in table.lines(lefts, row["contestants"], _FIGURES, n_bytes):
            print(line, flush=True)
    return 0


def _names(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in _PEERS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(_PEERS)}")
    return names


def _measured(tokenizer: Tokenizer, texts: list[str], peers: list[str], n_runs: int) -> Iterator[dict[str, Any]]:
    """Yield the figures of one call after the other, on one thread and then on all."""
    arrays = importlib.util.find_spec("numpy") is not None
    with tempfile.TemporaryDirectory() as folder:
        files = {"folder": folder, "texts": str(Path(folder, "texts"))}
        Path(files["texts"]).write_bytes(pickle.dumps(texts))
        # tiktoken and gigatoken know published vocabularies by their files' names.
        name = "r50k_base" if tokenizer.name == "gpt2" else tokenizer.name
        rounds.write_vocabulary(tokenizer, name or "vocabulary", Path(folder), builtin=name is not None)

        def run_one(contestant: rounds.Contestant) -> dict[str, Any]:
            task = {"work": "passes", "vocabulary": name or "vocabulary", **contestant._asdict(), **files}
            return rounds.run(sys.executable, task)

        for n_threads in sorted({1, n_processors()}):
            for what, (one, batch) in _CALLS.items():
                call = one if n_threads == 1 else batch
                if call is None or (call.startswith("array") and not arrays):
                    continue
                contestants = {engine: rounds.Contestant(engine, call, n_threads) for engine in [rounds.OURS, *peers]}
                found = rounds.compare(contestants, run_one, n_runs)
                there = {engine: each for engine, each in found.items() if each.get("error") != rounds.NO_SUCH_CALL}
                yield {"what": what, "threads": n_threads, "contestants": there}

"""Count the pretokens of a part of a corpus into a file, or add up such files, for `bytepair train --counts`."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

from bytepair import Counts
from bytepair.cli import _common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    _common.add_sources(parser)
    parser.add_argument("-o", "--output", required=True, metavar="PATH", help="the file of counts to write")
    parser.add_argument("--merge", action="store_true", help="the files are counts: add them up, in little memory")
    parser.add_argument("-p", "--pattern", help="a preset or a split regex (default: gpt2)")
    parser.add_argument(
        "-s",
        "--special-token",
        action="append",
        metavar="TEXT",
        help="cuts documents, never counted; may be repeated (default: <|endoftext|>)",
    )
    parser.add_argument(
        "--shard",
        metavar="NAME",
        help="what this part is called; counts of one part never add up to twice (default: each file by its content)",
    )
    _common.add_memory_limit(parser)
    parser.add_argument("--threads", type=int, metavar="N", help="default: one for each processor")


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    output = Path(options.output)
    started = time.perf_counter()
    if options.merge:
        _merge(options, output)
        counts = Counts.load(output, memory_limit=options.memory_limit)
    else:
        counts = Counts(
            options.pattern or "gpt2",
            options.special_token or ["<|endoftext|>"],
            memory_limit=options.memory_limit,
        )
        with warnings.catch_warnings(record=True) as caught, _common.progress_bar() as progress:
            warnings.simplefilter("always", UserWarning)
            counts.update(_common.sources(options), shard=options.shard, num_threads=options.threads, progress=progress)
        for warning in caught:
            print(f"bytepair counts: {warning.message}", file=sys.stderr)
        counts.save(output)
    figures = {
        "output": str(output),
        "fingerprint": counts.fingerprint,
        "shards": len(counts.shards),
        "documents": counts.total_documents,
        "bytes": counts.total_bytes,
        "pretokens": counts.total_pretokens,
        "distinct_pretokens": len(counts),
        "fraction_bits": counts.fraction_bits,
        "seconds": round(time.perf_counter() - started, 3),
    }
    if options.json:
        _common.print_json(figures)
        return 0
    print(f"{output}: {len(counts):,} distinct of {counts.total_pretokens:,} pretokens,", end=" ")
    print(f"{counts.total_bytes / 1e6:,.1f} MB in {counts.total_documents:,} documents, {figures['seconds']:.2f} s")
    return 0


def _merge(options: argparse.Namespace, output: Path) -> None:
    given = options.pattern or options.special_token or options.shard or options.format
    if given:
        raise _common.fail(f"--merge takes the files as they are; leave {given!r} out")
    names = _common.expand(options.files)
    if _common.STDIN in names:
        raise _common.fail("--merge reads files; name them")
    Counts.merge_files(names, output)

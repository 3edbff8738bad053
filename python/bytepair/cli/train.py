"""Train a tokenizer on files and save it."""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bytepair import Counts, Tokenizer
from bytepair.cli import _common

if TYPE_CHECKING:
    from bytepair import Files
    from bytepair._types import Format


# A report tells of each file, up to so many; of more, it tells by folder.
_MOST_FILES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    _common.add_sources(parser)
    parser.add_argument(
        "-o", "--output", required=True, metavar="PATH", help="where to save: .json, .tiktoken, or a folder for GPT-2's"
    )
    parser.add_argument("-v", "--vocab-size", type=int, default=50_257, help="tokens in all (default: 50257)")
    parser.add_argument("-p", "--pattern", help="a preset or a split regex (default: gpt2)")
    parser.add_argument(
        "-s",
        "--special-token",
        action="append",
        metavar="TEXT",
        help="cuts documents, never trained on; may be repeated (default: <|endoftext|>)",
    )
    parser.add_argument(
        "--tie", choices=["hf", "id", "bytes"], default="hf", help="rule for equal counts (default: hf)"
    )
    parser.add_argument(
        "--min-frequency", type=int, default=1, metavar="N", help="leave rarer pairs alone (default: 1)"
    )
    parser.add_argument("--max-token-length", type=int, metavar="N", help="the longest token in bytes")
    parser.add_argument(
        "--counts", nargs="+", metavar="PATH", help="learn from these files of `bytepair counts`, and not from text"
    )
    _common.add_memory_limit(parser)
    parser.add_argument("--threads", type=int, metavar="N", help="default: one for each processor")
    parser.add_argument(
        "--extend",
        metavar="NAME|PATH",
        help="learn more tokens after those of this tokenizer, which keep their ids; the text is split as it does",
    )
    parser.add_argument(
        "--checkpoint",
        metavar="PATH",
        help="a folder to keep the work in: after Ctrl-C, an error or a kill, the same command goes on from there",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="PATH",
        help="write what training found, and how well each file is compressed: .html to look at, or .json",
    )


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    output = Path(options.output)
    counts = _counts(options) if options.counts else None
    base = None if options.extend is None else _common.load_tokenizer(options.extend)
    pattern = options.pattern or ("gpt2" if counts is None else counts.pattern)
    special_tokens = options.special_token or (["<|endoftext|>"] if counts is None else counts.special_tokens)
    if base is None:
        vocab = {byte: bytes([byte]) for byte in range(256)}
        format_ = _checked_format(output, Tokenizer(vocab, [], pattern=pattern, special_tokens=special_tokens))
    else:
        if options.pattern or options.special_token:
            raise _common.fail("--extend splits text as that tokenizer does; leave --pattern and --special-token out")
        format_ = _checked_format(output, base)
    if options.report is not None:
        _check_report(options.report)
    corpus: Files | Counts = _common.sources(options) if counts is None else counts
    started = time.perf_counter()
    with _common.skipping(), _going_on(options.checkpoint), _common.progress_bar() as progress:
        train = functools.partial(Tokenizer.train, pattern=pattern, special_tokens=special_tokens)
        learn = train if base is None else base.extend
        tokenizer = learn(
            corpus,
            options.vocab_size,
            tie=options.tie,
            min_frequency=options.min_frequency,
            max_token_length=options.max_token_length,
            memory_limit=options.memory_limit,
            num_threads=options.threads,
            progress=progress,
            checkpoint=options.checkpoint,
        )
    seconds = time.perf_counter() - started
    tokenizer.save(output, format_)
    report = tokenizer.training_report
    assert report is not None
    n_merges = len(report.n_tokens) - 1
    n_bytes = report._ones(report.n_bytes)
    figures = {
        "output": str(output),
        "vocab_size": tokenizer.vocab_size,
        "fingerprint": tokenizer.fingerprint,
        "stop_reason": report.stop_reason,
        "bytes": n_bytes,
        "pretokens": report._ones(report.n_pretokens),
        "distinct_pretokens": report.n_distinct_pretokens,
        "bytes_per_token": round(report.bytes_per_token(n_merges), 4),
        "documents": report.n_documents,
        "skipped": report.n_skipped,
        "seconds": round(seconds, 3),
    }
    if options.report is not None:
        with _common.skipping():
            report.save(options.report, sources=tokenizer.fertility(_by_label(corpus)))
        figures["report"] = str(options.report)
    if options.json:
        _common.print_json(figures)
        return 0
    rate = n_bytes / seconds / 1e6
    print(f"{output}: {tokenizer.vocab_size:,} tokens from {n_bytes / 1e6:,.1f} MB", end=" ")
    print(f"in {seconds:.2f} s ({rate:.0f} MB/s), {figures['bytes_per_token']:.2f} bytes per token")
    print(f"stopped because {report.stop_reason}")
    if options.report is not None:
        print(f"report in {options.report}")
    if report.n_skipped:
        print(f"{report.n_skipped:,} of {report.n_documents + report.n_skipped:,} rows left out, such as", end=" ")
        print(report.skipped[0])
    return 0


def _checked_format(output: Path, tokenizer: Tokenizer) -> Format:
    """Return the format to save in, after all that can be checked of saving: it comes after minutes of training.

    The tokenizer is one that any of this training can be: with its pattern and special tokens.
    """
    known: dict[str, Format] = {".json": "tokenizer.json", ".tiktoken": "tiktoken"}
    if output.suffix and output.suffix not in known and not output.is_dir():
        raise _common.fail(f"{output} must end in .json or .tiktoken, or have no suffix: a folder for GPT-2's files")
    format_ = known.get(output.suffix, "gpt2")
    tokenizer._files_for(output, format_)
    return format_


def _counts(options: argparse.Namespace) -> Counts:
    """Return the sum of the files of counts."""
    if options.files != [_common.STDIN]:
        raise _common.fail("--counts takes the place of the corpus; leave the other files out")
    first, *others = _common.expand(options.counts)
    total = Counts.load(first, memory_limit=options.memory_limit)
    for name in others:
        # No more than two of them are in memory.
        total.merge(Counts.load(name, memory_limit=options.memory_limit))
    return total


@contextlib.contextmanager
def _going_on(checkpoint: str | None) -> Iterator[None]:
    """Tell who ends the work by Ctrl-C that it can go on."""
    try:
        yield
    except KeyboardInterrupt:
        if checkpoint is not None:
            is_counted = Path(checkpoint, "training.json").exists()
            what = f"goes on from {checkpoint}" if is_counted else "begins anew, since counting was not done"
            print(f"bytepair: the same command {what}", file=sys.stderr)
        raise


def _check_report(path: Path) -> None:
    if path.suffix not in (".html", ".json"):
        raise _common.fail(f"the report {path} must end in .html or .json")
    _common.check_writable(path, "the report")


def _by_label(corpus: Files | Counts) -> dict[str, Files]:
    """Return the files by name, or by folder where they are many; what is no file was read once and is gone."""
    if isinstance(corpus, Counts):
        return {}
    names = [name for name in corpus.paths if Path(name).is_file()]
    by_label: dict[str, list[str]] = {}
    for name in names:
        by_label.setdefault(name if len(names) <= _MOST_FILES else str(Path(name).parent), []).append(name)
    return {label: corpus.with_paths(paths) for label, paths in by_label.items()}

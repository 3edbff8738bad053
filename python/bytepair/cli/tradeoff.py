"""Measure what a larger vocabulary buys and costs: tokens, embedding parameters, and how much of it occurs."""

from __future__ import annotations

import argparse
from pathlib import Path

from bytepair import _figure, _files
from bytepair.cli import _common
from bytepair.unicode import TradeoffRow, tradeoff_picture, vocabulary_tradeoff


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    _common.add_inputs(parser, "text to train on")
    parser.add_argument(
        "--held-out", action="append", metavar="FILE", help="measure on this text; may be repeated (default: the same)"
    )
    parser.add_argument(
        "--sizes", type=_sizes, metavar="N,N,…", help="tokens in all (default: 512 to 32768, each twice the one before)"
    )
    parser.add_argument(
        "--d-model", type=_common.one_or_more, default=768, metavar="N", help="width of an embedding (default: 768)"
    )
    parser.add_argument("-p", "--pattern", default="gpt2", help="a preset or a split regex (default: gpt2)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it, too: .png, .svg or .pdf (extra `plot`)")


def _sizes(text: str) -> list[int]:
    return [_common.one_or_more(size.strip()) for size in text.split(",")]


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    if options.plot is not None:
        # Before the work: that the file can be written, and that a picture of this kind can be drawn.
        _common.check_writable(options.plot, "the plot")
        _figure.new(_kind(options.plot), 1, 1)
    corpus = _corpus(options.files)
    with _common.progress_bar() as progress:
        rows = vocabulary_tradeoff(
            corpus,
            options.sizes,
            held_out=None if options.held_out is None else _corpus(options.held_out),
            d_model=options.d_model,
            pattern=options.pattern,
            progress=progress,
        )
    if options.json:
        _common.print_json({"d_model": options.d_model, "rows": [row.as_dict() for row in rows]})
    else:
        _show(rows, "the text trained on" if options.held_out is None else "text held out", options.d_model)
    if options.plot is not None:
        _files.write({options.plot: tradeoff_picture(rows, _kind(options.plot))})
    return 0


def _kind(path: Path) -> str:
    return path.suffix.removeprefix(".")


def _corpus(patterns: list[str]) -> list[Path] | list[bytes]:
    """Return the files; where stdin is one of them, the texts, since it can be read only once."""
    names = _common.expand(patterns)
    if _common.STDIN in names:
        return [text for _, text in _common.read_inputs(names)]
    return [Path(name) for name in names]


def _show(rows: list[TradeoffRow], what: str, d_model: int) -> None:
    print(f"one training run, measured on {rows[0].n_bytes:,} bytes of {what}\n")
    print(f"{'vocabulary':>10} {'bytes/token':>12} {'tokens/byte':>12} {'embedding':>14} {'occurs':>8}")
    for row in rows:
        ratios = f"{row.bytes_per_token:12.3f} {row.tokens_per_byte:12.3f}"
        print(f"{row.vocab_size:10,} {ratios} {row.embedding_parameters:14,} {row.share_used:8.1%}")
    print(f"\nembedding: its parameters at d_model {d_model:,}; an untied output layer has as many")

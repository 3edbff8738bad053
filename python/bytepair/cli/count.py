"""Count the tokens of each input."""

from __future__ import annotations

import argparse

from bytepair.cli import _common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    _common.add_inputs(parser)
    _common.add_tokenizer(parser)


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    tokenizer = _common.load_tokenizer(options.tokenizer)
    rows = []
    for name, text in _common.read_inputs(options.files):
        rows.append((name, len(text), tokenizer.count(text)))
    n_bytes = sum(size for _, size, _ in rows)
    n_tokens = sum(tokens for _, _, tokens in rows)
    if options.json:
        files = [{"file": name, "bytes": size, "tokens": tokens} for name, size, tokens in rows]
        _common.print_json({"files": files, "bytes": n_bytes, "tokens": n_tokens})
        return 0
    if len(rows) > 1:
        rows.append(("total", n_bytes, n_tokens))
    print(f"{'tokens':>12} {'bytes':>14} {'bytes/token':>11}")
    for name, size, tokens in rows:
        ratio = f"{size / tokens:.2f}" if tokens else "-"
        print(f"{tokens:12,} {size:14,} {ratio:>11}  {name}")
    return 0

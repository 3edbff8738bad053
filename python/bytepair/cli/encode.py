"""Encode text: the ids of each input on a line."""

from __future__ import annotations

import argparse

from bytepair.cli import _common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    _common.add_inputs(parser)
    _common.add_tokenizer(parser)
    _common.add_allow_special(parser)


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    tokenizer = _common.load_tokenizer(options.tokenizer)
    allowed = _common.allowed_special(options)
    for name, text in _common.read_inputs(options.files):
        ids = tokenizer.encode(text, allowed_special=allowed)
        if options.json:
            _common.print_json({"file": name, "ids": ids})
        else:
            print(*ids)
    return 0

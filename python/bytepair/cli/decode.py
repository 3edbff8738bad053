"""Decode ids, separated by white space or commas, to the bytes they stand for."""

from __future__ import annotations

import argparse
import re
import sys

from bytepair.cli import _common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    _common.add_inputs(parser, "ids to read")
    _common.add_tokenizer(parser)


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    tokenizer = _common.load_tokenizer(options.tokenizer)
    for name, data in _common.read_inputs(options.files):
        # Brackets and commas are skipped, so that a list as Python or JSON prints it is read too.
        words = re.split(r"[\s,\[\]]+", data.decode())
        ids = []
        for word in filter(None, words):
            if not re.fullmatch(r"-?[0-9]+", word):
                raise _common.fail(f"{name}: {word!r} is not a token id")
            ids.append(int(word))
        if options.json:
            _common.print_json({"file": name, "text": tokenizer.decode(ids)})
        else:
            sys.stdout.buffer.write(tokenizer.decode_bytes(ids))
    return 0

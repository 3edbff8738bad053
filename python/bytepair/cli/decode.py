"""Decode ids, separated by white space or commas or as `encode --json` prints them, to the bytes they stand for."""

from __future__ import annotations

import argparse
import json
import re
import sys

from bytepair import Tokenizer
from bytepair.cli import _common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    _common.add_inputs(parser, "ids to read")
    _common.add_tokenizer(parser)


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    tokenizer = _common.load_tokenizer(options.tokenizer)
    for name, data in _common.read_inputs(options.files):
        if data.lstrip().startswith(b"{"):
            for line in filter(None, map(bytes.strip, data.splitlines())):
                _write(tokenizer, name, _ids_of_json(name, line), options.json)
            continue
        # Brackets and commas are skipped, so that a list as Python or JSON prints it is read too.
        words = re.split(r"[\s,\[\]]+", data.decode())
        ids = []
        for word in filter(None, words):
            if not re.fullmatch(r"-?[0-9]+", word):
                raise _common.fail(f"{name}: {word!r} is not a token id")
            ids.append(int(word))
        _write(tokenizer, name, ids, options.json)
    return 0


def _ids_of_json(name: str, line: bytes) -> list[int]:
    try:
        ids = json.loads(line)["ids"]
    except (ValueError, KeyError, TypeError):
        ids = None
    if not isinstance(ids, list):
        raise _common.fail(f'{name}: {line[:60].decode(errors="replace")} is not a line such as {{"ids": [1, 2]}}')
    return ids


def _write(tokenizer: Tokenizer, name: str, ids: list[int], as_json: bool) -> None:
    if as_json:
        _common.print_json({"file": name, "text": tokenizer.decode(ids)})
    else:
        sys.stdout.buffer.write(tokenizer.decode_bytes(ids))

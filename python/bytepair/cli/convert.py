"""Write a tokenizer in another format, after reading it back and finding it equal."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from bytepair import Tokenizer
from bytepair._types import Format
from bytepair.cli import _common

if TYPE_CHECKING:
    from collections.abc import Sequence

_BY_SUFFIX: dict[str, Format] = {".json": "tokenizer.json", ".tiktoken": "tiktoken"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("source", metavar="SRC", help="a file or folder, or a built-in vocabulary")
    parser.add_argument("target", metavar="DST", help="the file to write, or for gpt2 the folder")
    parser.add_argument("--to", choices=get_args(Format), help="the format; by default the suffix of DST decides")
    parser.add_argument(
        "--pattern",
        action="append",
        metavar="NAME|REGEX",
        help="how text is split, where SRC is a rank file or a vocab.json and does not say; repeat for several",
    )
    parser.add_argument(
        "--special",
        action="append",
        metavar="TEXT[=ID]",
        help="a special token that SRC does not tell; repeat for more",
    )
    parser.add_argument("--lossy", action="store_true", help="write DST even if the format cannot hold all of SRC")


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    tokenizer = _read(options.source, options.pattern, options.special or [])
    target = Path(options.target)
    format_: Format | None = options.to or _BY_SUFFIX.get(target.suffix)
    if format_ is None:
        raise _common.fail(f"cannot tell the format of {options.target!r}; name it with --to")
    _verify(tokenizer, format_)
    lost = _lost(tokenizer) if format_ == "tiktoken" else []
    if lost and not options.lossy:
        raise _common.fail(f"a rank file cannot hold {' or '.join(lost)}; to write one without, pass --lossy")
    tokenizer.save(target, format_)
    figures = {
        "source": options.source,
        "target": options.target,
        "format": format_,
        "vocab_size": tokenizer.vocab_size,
        "fingerprint": tokenizer.fingerprint,
        "verified": True,
        "lost": lost,
    }
    if options.json:
        _common.print_json(figures)
        return 0
    print(f"wrote {options.target} ({format_}): {tokenizer.vocab_size:,} tokens, read back and found equal")
    for what in lost:
        print(f"not in the file: {what}")
    return 0


def _read(source: str, pattern: Sequence[str] | None, special: Sequence[str]) -> Tokenizer:
    """Return the tokenizer in `source`, told what the file does not say."""
    if pattern is None and not special:
        return _common.load_tokenizer(source)
    path = Path(source)
    ids = _special_ids(special)
    if path.is_dir():
        if any(token_id is not None for token_id in ids.values()):
            raise _common.fail("vocab.json has the ids of special tokens; name them without =ID")
        files = (path / "vocab.json", path / "merges.txt")
        return Tokenizer.from_gpt2(*files, pattern=pattern or "gpt2", special_tokens=list(ids))
    if pattern is None:
        raise _common.fail("--special needs --pattern: a rank file says neither")
    given = {text: token_id for text, token_id in ids.items() if token_id is not None}
    if given and len(given) < len(ids):
        raise _common.fail("give an id to every special token, or to none")
    return Tokenizer.from_tiktoken(path, pattern=pattern, special_tokens=given or list(ids))


def _special_ids(special: Sequence[str]) -> dict[str, int | None]:
    """Return the ids by text; None where there is no ``=ID``."""
    ids: dict[str, int | None] = {}
    for argument in special:
        text, equals, digits = argument.rpartition("=")
        has_id = bool(equals and text and digits.isascii() and digits.isdigit())
        name = text if has_id else argument
        if name in ids:
            raise _common.fail(f"special token {name!r} is given twice")
        ids[name] = int(digits) if has_id else None
    return ids


def _verify(tokenizer: Tokenizer, format_: Format) -> None:
    """Write the tokenizer elsewhere and read it back, so that a bad file never takes the place of a good one."""
    with tempfile.TemporaryDirectory(prefix="bytepair-") as folder:
        path = Path(folder) / "written"
        tokenizer.save(path, format_)
        if format_ == "tiktoken":
            specials = tokenizer.special_tokens
            again = Tokenizer.from_tiktoken(path, pattern=tokenizer.pattern, special_tokens=specials)
        else:
            again = Tokenizer.load(path)
    if again != tokenizer:
        raise _common.fail(f"what {format_} holds of this tokenizer reads back as another one; nothing was written")


def _lost(tokenizer: Tokenizer) -> list[str]:
    """Return what a rank file leaves to its reader."""
    n_special = len(tokenizer.special_tokens)
    specials = [f"the {n_special} special tokens" if n_special > 1 else "the special token"] if n_special else []
    return ["the split pattern", *specials]

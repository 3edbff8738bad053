"""Take a text apart: its characters, their bytes in UTF-8, UTF-16 and UTF-32, and what printing does with them."""

from __future__ import annotations

import argparse
import itertools
import os
import unicodedata
from typing import TYPE_CHECKING

from bytepair.cli import _common
from bytepair.unicode import Character, Lengths, TokenSpan, classify_byte, encoding_lengths
from bytepair.unicode._characters import characters, token_spans
from bytepair.unicode._utf8 import invalid_sequences

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

# Characters, tokens and places are listed up to this many, and all of them counted.
_LIMIT = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("text", nargs="?", metavar="TEXT", help="the text; stdin where there is none")
    what.add_argument("--bytes", type=_hexadecimal, metavar="HEX", help="bytes instead, such as 'C3 28'")
    parser.add_argument("-t", "--tokenizer", metavar="NAME|PATH", help="show the tokens of this tokenizer, too")
    parser.add_argument(
        "--limit",
        type=_common.one_or_more,
        default=_LIMIT,
        metavar="N",
        help=f"list at most so many (default: {_LIMIT})",
    )


def _hexadecimal(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not hexadecimal digits in pairs, such as 'C3 28'") from None


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    data = _data(options)
    limit = options.limit
    listed = list(itertools.islice(characters(data), limit))
    # Bytes that are no text have no length in another encoding.
    text = data.decode(errors="ignore")
    lengths = encoding_lengths(text)
    places = invalid_sequences(data)
    invalid = list(itertools.islice(places, limit))
    n_invalid = len(invalid) + sum(1 for _ in places)
    tokens, n_tokens = None, None
    if options.tokenizer is not None:
        tokenizer = _common.load_tokenizer(options.tokenizer)
        tokens = list(itertools.islice(token_spans(data, tokenizer), limit))
        n_tokens = tokenizer.count(data)
    if options.json:
        _common.print_json(
            {
                "unicode_version": unicodedata.unidata_version,
                "characters": [one.as_dict() for one in listed],
                "lengths": lengths.total._asdict(),
                "lengths_by_range": {span: row._asdict() for span, row in lengths.by_range.items()},
                "invalid": [found._asdict() | {"data": found.data.hex()} for found in invalid],
                "n_invalid": n_invalid,
                "tokens": tokens and [token._asdict() | {"data": token.data.hex()} for token in tokens],
                "n_tokens": n_tokens,
            }
        )
        return 0
    console = _common.console()
    if options.bytes is not None:
        console.print(_table_of_bytes(data[:limit]))
        console.print()
    if listed:
        console.print(_table_of_characters(listed))
    _show_rest(console, len(text) + n_invalid - len(listed), "character")
    if any(len(one.utf8) > 1 for one in listed):
        console.print("[dim]· before a byte: it continues the character[/]")
    if invalid:
        where = "one place is" if n_invalid == 1 else f"{n_invalid:,} places are"
        first = invalid[0].start
        console.print(f"{where} not UTF-8, from byte {first:,} on; decode(errors='replace') has U+FFFD for each")
    if tokens is not None and n_tokens is not None:
        console.print(f"\n{_several(n_tokens, 'token')} of {options.tokenizer}", markup=False)
        console.print(_table_of_tokens(tokens))
        _show_rest(console, n_tokens - len(tokens), "token")
    console.print()
    console.print(_table_of_lengths(lengths.by_range, lengths.total))
    return 0


def _data(options: argparse.Namespace) -> bytes:
    if options.bytes is not None:
        return bytes(options.bytes)
    if options.text is not None:
        # What the shell handed over, also where it was not UTF-8.
        return os.fsencode(options.text)
    (_, data), *_ = _common.read_inputs([_common.STDIN])
    return data


def _show_rest(console: Console, n: int, what: str) -> None:
    if n > 0:
        console.print(f"… and {_several(n, f'more {what}')}; --limit lists more")


def _several(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left", no_wrap=True)
    return table


def _table_of_characters(listed: list[Character]) -> Table:
    from rich.text import Text

    table = _table(">byte", "code point", "repr", "UTF-8", "", "name · what printing shows")
    table.columns[-1].no_wrap = False
    for one in listed:
        what = Text(f"{one.name} {one.invalid.reason}" if one.invalid else one.name)
        if one.printed != one.char and not one.invalid:
            what.append(f" · {one.printed}", style="dim")
        drawn = one.char if one.invalid or not one.char.isprintable() else _drawn(one.char)
        shown = one.repr if drawn == one.char else f"'{drawn}'"
        number = "" if one.code_point is None else f"U+{one.code_point:04X}"
        table.add_row(str(one.byte_start), number, Text(shown), _marked(one), one.category, what)
    return table


def _marked(one: Character) -> Text:
    """Return the bytes of a character, a dot before each that continues it."""
    from rich.text import Text

    shown = Text()
    for byte, role in zip(one.utf8, one.roles, strict=True):
        style = "red" if one.invalid else "cyan" if role == "continuation" else "bold cyan" if role == "lead" else ""
        shown.append(f"{'·' if role == 'continuation' else ' ' if shown else ''}{byte:02X}", style=style)
    return shown


def _drawn(text: str) -> str:
    """Return a text so that it keeps to its place in a line: no mark joins what is before, nothing has no width."""
    from rich.cells import cell_len

    shown = ""
    for char in text:
        category = unicodedata.category(char)
        if category == "Mc" or (category in ("Mn", "Me") and unicodedata.combining(char)):
            # The circle stands for any letter.
            shown += char if shown else f"◌{char}"
        else:
            shown += char if cell_len(char) else ascii(char)[1:-1]
    return shown


def _table_of_bytes(data: bytes) -> Table:
    table = _table("byte", "bits", "role in UTF-8")
    for byte in data:
        found = classify_byte(byte)
        role = {"single": "a character of its own", "lead": f"leads {found.length} bytes"}.get(found.role, found.role)
        role = {"continuation": "continues a character", "never": "never occurs"}.get(role, role)
        table.add_row(f"{byte:02X}", f"{found.prefix} {found.payload}", role)
    return table


def _table_of_tokens(tokens: list[TokenSpan]) -> Table:
    from rich.text import Text

    table = _table(">id", "bytes", "token")
    for token in tokens:
        hexadecimal = token.data.hex(" ").upper()
        shown = hexadecimal if len(hexadecimal) <= 40 else hexadecimal[:38] + " …"
        table.add_row(str(token.id), shown, Text(_drawn(_common.show_bytes(token.data)), overflow="ellipsis"))
    return table


def _table_of_lengths(by_range: dict[str, Lengths], total: Lengths) -> Table:
    """Return the bytes by encoding, the least of each row marked."""
    from rich.text import Text

    table = _table("bytes in", ">characters", ">UTF-8", ">UTF-16", ">UTF-32")
    rows = {**by_range, "all": total} if len(by_range) != 1 else by_range
    for name, (n, *sizes) in rows.items():
        cells = [Text(f"{size:,}", style="green" if size == min(sizes) else "") for size in sizes]
        table.add_row(name, f"{n:,}", *cells)
    return table

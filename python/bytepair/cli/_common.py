"""What the verbs share: inputs, the tokenizer to use, tables and progress."""

from __future__ import annotations

import argparse
import contextlib
import glob
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bytepair import BytepairError, Files, Tokenizer, _files

if TYPE_CHECKING:
    from rich.console import Console

    from bytepair._types import Progress

STDIN = "-"


def add_inputs(parser: argparse.ArgumentParser, what: str = "text to read") -> None:
    """Add the argument for input files."""
    parser.add_argument(
        "files", nargs="*", default=[STDIN], metavar="FILE", help=f"{what}: files, globs, or - for stdin (default)"
    )


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for the files of a corpus, and for what to read of them."""
    parser.add_argument(
        "files",
        nargs="*",
        default=[STDIN],
        metavar="FILE",
        help="corpus: files, folders, globs, or - for stdin (default)",
    )
    parser.add_argument(
        "--format",
        choices=["text", "jsonl", "parquet", "arrow"],
        help="what is in the files (default: by suffix, .gz and .zst apart; text where none is known)",
    )
    parser.add_argument(
        "--text-field",
        default="text",
        metavar="NAME",
        help="the JSON field or the column that holds the document (default: text)",
    )
    parser.add_argument(
        "--on-error",
        choices=["raise", "skip"],
        default="raise",
        help="of a row without a document: end with its place (default), or leave it out and count it",
    )


def sources(options: argparse.Namespace) -> Files:
    """Return the files of a corpus that the arguments name."""
    names = expand(options.files, folders=True)
    if STDIN in names:
        check_stdin()
    paths = ["/dev/stdin" if name == STDIN else name for name in names]
    return Files(paths, format=options.format, text_field=options.text_field, on_error=options.on_error)


@contextlib.contextmanager
def skipping() -> Iterator[None]:
    """Leave what was skipped to be told by the verb."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def add_tokenizer(parser: argparse.ArgumentParser) -> None:
    """Add the option for the tokenizer to use."""
    parser.add_argument(
        "-t",
        "--tokenizer",
        default="gpt2",
        metavar="NAME|PATH",
        help="a file or folder, or a vocabulary that comes with bytepair (default: gpt2)",
    )


def add_memory_limit(parser: argparse.ArgumentParser) -> None:
    """Add the option for how much memory counting may take."""
    parser.add_argument(
        "--memory-limit",
        type=n_bytes,
        metavar="SIZE",
        help="what distinct pretokens may take, such as 500M or 4G; the rest goes to $TMPDIR (default: 2G)",
    )


def n_bytes(text: str) -> int:
    """Return the size that an argument is: bytes, or with K, M or G so many times 1,024."""
    number = text.upper().removesuffix("B").removesuffix("I")
    factor = {"K": 2**10, "M": 2**20, "G": 2**30}.get(number[-1:], 1)
    digits = number if factor == 1 else number[:-1]
    if not (digits.isascii() and digits.isdecimal()) or int(digits) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 500M or 4G, or bytes")
    return int(digits) * factor


def add_allow_special(parser: argparse.ArgumentParser) -> None:
    """Add the option for special tokens that a text may hold."""
    parser.add_argument(
        "-a",
        "--allow-special",
        action="append",
        default=[],
        metavar="TEXT",
        help="encode this special token as its id; 'all' for all (default: none, they are plain text)",
    )


def allowed_special(options: argparse.Namespace) -> list[str] | Literal["all"]:
    """Return what `encode` takes as its argument of this name."""
    allowed: list[str] = options.allow_special
    return "all" if "all" in allowed else allowed


def one_or_more(text: str) -> int:
    """Return the number that an argument is."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"it must be 1 or more, not {text!r}")
    return int(text)


def load_tokenizer(name: str) -> Tokenizer:
    """Return the tokenizer in a file or folder, or the built-in one of this name."""
    if os.path.exists(name):  # noqa: PTH110
        return Tokenizer.load(name)
    if "/" in name or name.endswith((".json", ".tiktoken")):
        raise FileNotFoundError(f"there is no file {name}")
    return Tokenizer.from_pretrained(name)


def expand(patterns: Sequence[str], *, folders: bool = False) -> list[str]:
    """Return the files that paths and globs name, in order; a folder or a glob without files is an error.

    With `folders`, a folder names the files in it and in the folders in it, but for hidden ones.
    """
    files: list[str] = []
    for pattern in patterns:
        if folders and os.path.isdir(pattern):  # noqa: PTH112
            found = _files_of(os.path.join(glob.escape(pattern), "**", "*"))  # noqa: PTH118
            if not found:
                raise FileNotFoundError(f"there is no file in the folder {pattern}")
            files.extend(found)
        elif pattern == STDIN or (os.path.exists(pattern) and not Path(pattern).is_dir()):  # noqa: PTH110
            files.append(pattern)
        elif os.path.isdir(pattern):  # noqa: PTH112
            raise IsADirectoryError(f"{pattern} is a folder; pass a glob such as '{pattern.rstrip('/')}/**/*.txt'")
        else:
            found = _files_of(pattern)
            if not found:
                raise FileNotFoundError(f"there is no file {pattern}")
            files.extend(found)
    return files


def _files_of(pattern: str) -> list[str]:
    return sorted(path for path in glob.glob(pattern, recursive=True) if Path(path).is_file())  # noqa: PTH207


def read_inputs(patterns: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each input."""
    for name in expand(patterns):
        if name == STDIN:
            check_stdin()
            yield name, sys.stdin.buffer.read()
        else:
            yield name, Path(name).read_bytes()


def check_stdin() -> None:
    """Raise where there is no stdin to read."""
    if sys.stdin is None:
        raise fail("stdin is closed; name the files to read")


def print_json(value: object) -> None:
    """Print a value as one line of JSON."""
    print(json.dumps(value, ensure_ascii=False))


def console() -> Console:
    """Return where tables go: 80 columns unless a terminal says otherwise."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 80)


def show_bytes(token: bytes) -> str:
    """Return a token so that it can be read: as text where it is text, white space and control characters escaped."""
    try:
        text = token.decode()
    except UnicodeDecodeError:
        return "".join(chr(byte) if 0x21 <= byte < 0x7F else f"\\x{byte:02x}" for byte in token)
    return text if text.isprintable() and not text.isspace() else repr(text)[1:-1]


@contextlib.contextmanager
def progress_bar() -> Iterator[Progress | None]:
    """Lend a progress callback that draws a bar with rate and time left; None where stderr is no terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (bars.TextColumn("{task.description:9}"), bars.BarColumn(), bars.TaskProgressColumn())
    rates = (bars.TextColumn("{task.fields[rate]}"), bars.TimeRemainingColumn())
    with bars.Progress(*columns, *rates, console=Console(stderr=True), transient=True) as progress:
        # Where each stage began: a training that goes on has merges already.
        tasks: dict[str, tuple[bars.TaskID, int]] = {}

        def report(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total, completed=done, rate=""), done
            task, start = tasks[stage]
            speed = (done - start) / (progress.tasks[task].elapsed or 0.1)
            rate = f"{speed / 1e6:.1f} MB/s" if stage == "counting" else f"{speed:,.0f} merges/s"
            progress.update(task, completed=done, total=total, rate=rate)

        yield report


def check_writable(path: Path, what: str) -> None:
    """Raise where a file could not be written, before the work that it is to show."""
    folder = _files.target(path).parent
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder} for {what}")
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"the folder {folder} for {what} cannot be written to")


def fail(message: str) -> BytepairError:
    """Return an error that ends the command with exit code 1."""
    return BytepairError(message)

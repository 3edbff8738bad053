"""The command ``bytepair``: one module for each verb.

Exit codes: 0, 1 where the work failed, 2 where the arguments are wrong, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence

import bytepair
from bytepair.cli import (
    account,
    bench,
    compare,
    convert,
    count,
    counts,
    decode,
    encode,
    generate,
    inspect,
    tour,
    tradeoff,
    train,
    unicode,
)

__all__ = ["main"]

_VERBS = {
    "train": train,
    "encode": encode,
    "decode": decode,
    "count": count,
    "counts": counts,
    "inspect": inspect,
    "compare": compare,
    "bench": bench,
    "convert": convert,
    "tradeoff": tradeoff,
    "unicode": unicode,
    "generate": generate,
    "account": account,
    "tour": tour,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.
    """
    options = _parser().parse_args(arguments)
    try:
        if sys.stdout is None:
            raise OSError("stdout is closed")
        code: int = _VERBS[options.verb].run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("bytepair: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Who read our output has enough of it. Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (
        bytepair.BytepairError,
        ImportError,
        OSError,
        UnicodeError,
        MemoryError,
        OverflowError,
        ValueError,
    ) as error:
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        return _failed(f"bytepair {options.verb}: {error or type(error).__name__}{notes}")
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        return _failed(f"bytepair {options.verb}: {what} (this is a defect of bytepair, please report it)")
    return code


def _failed(message: str) -> int:
    print(" ".join(message.splitlines()), file=sys.stderr)
    with contextlib.suppress(OSError, AttributeError, ValueError):
        try:
            sys.stdout.flush()
        except OSError:
            # A full disk: Python would complain once more when it closes stdout.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bytepair",
        description="Byte-level BPE tokenizers: train, encode, decode, count, look inside.",
        epilog="See it all at work on your own Python's sources: bytepair tour",
    )
    parser.add_argument("--version", action="version", version=f"bytepair {bytepair.__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, module in _VERBS.items():
        summary = (module.__doc__ or "").splitlines()[0]
        verb = verbs.add_parser(name, help=summary, description=summary)
        verb.add_argument("--json", action="store_true", help="print the answer for a program to read")
        module.add_arguments(verb)
    return parser

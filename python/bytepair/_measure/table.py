"""Figures as a table of 80 columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["FORMS", "lines", "times", "title", "value"]

MB = 10**6

Form = Callable[[float, int], str]


def _speed(seconds: float, n_bytes: int) -> str:
    return f"{n_bytes / seconds / MB:.1f}"


def _milliseconds(seconds: float, _: int) -> str:
    return f"{1e3 * seconds:.1f}"


def _microseconds(seconds: float, _: int) -> str:
    return f"{1e6 * seconds:.2f}"


def _megabytes(amount: float, _: int) -> str:
    return f"{amount / MB:.0f}"


# By name: the figure that is shown, its heading, and how, given seconds or bytes and how many bytes of text there were.
FORMS: dict[str, tuple[str, str, Form]] = {
    "cold": ("cold", "cold MB/s", _speed),
    "warm": ("warm", "warm MB/s", _speed),
    "cold ms": ("cold", "cold ms", _milliseconds),
    "warm ms": ("warm", "warm ms", _milliseconds),
    "joined": ("joined", "as 1 MB/s", _speed),
    "first": ("first", "ms", _milliseconds),
    "import": ("import", "import ms", _milliseconds),
    "load": ("load", "load ms", _milliseconds),
    "13 chars": ("13 chars", "13 ch. µs", _microseconds),
    "58 chars": ("58 chars", "58 ch. µs", _microseconds),
    "4 kB": ("4 kB", "4 kB µs", _microseconds),
    "call": ("call", "µs", _microseconds),
    "seconds": ("seconds", "seconds", lambda seconds, _: f"{seconds:.2f}"),
    "cpu": ("cpu", "CPU s", lambda seconds, _: f"{seconds:.2f}"),
    "counting": ("counting", "counting s", lambda seconds, _: f"{seconds:.2f}"),
    "merging": ("merging", "merging s", lambda seconds, _: f"{seconds:.2f}"),
    "peak": ("peak", "peak MB", _megabytes),
    "above": ("above", "above MB", _megabytes),
}


def value(name: str, amount: float, n_bytes: int) -> str:
    """Return a figure as it is shown, without its unit."""
    return FORMS[name][2](amount, n_bytes)


def times(ratio: float) -> str:
    """Return a ratio to three digits, or to hundredths: "0.07x", "1.52x", "12.4x", "310x"."""
    return f"{ratio:.{2 if ratio < 9.995 else 1 if ratio < 99.95 else 0}f}x"


def title(left: str, names: Sequence[str]) -> str:
    """Return the heading of a table; `left` is what stands over its left side, as wide as that."""
    return (left + "".join(f"{FORMS[name][1]:>10}       " for name in names)).rstrip()


def lines(lefts: Sequence[str], contestants: Mapping[str, Any], names: Sequence[str], n_bytes: int) -> Iterator[str]:
    """Yield a line for each contestant: its left side, then figures, and how many times the first's they are."""
    for index, (left, found) in enumerate(zip(lefts, contestants.values(), strict=True)):
        if "error" in found:
            yield f"{left} {found['error']}"[:80]
            continue
        line = left
        for name in names:
            figure = found["figures"].get(FORMS[name][0])
            ratio = figure["ratio"] if figure and index else None
            line += f"{value(name, figure['median'], n_bytes) if figure else '':>10}"
            line += " " * 7 if ratio is None else f"{times(ratio):>7}"
        yield line.rstrip()

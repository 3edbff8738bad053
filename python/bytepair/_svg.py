"""Plots as SVG text: axes, a line, bars, a grid of bytes. No more than a report needs, and nothing to install."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 76, 18, 14, 46

# Colours stand in each element, not in a style sheet: so any program draws these, alone or in a page.
BLUE, AMBER, PALE, WHITE = "#2b66d9", "#f0a83c", "#e4e8ee", "#ffffff"
_TEXT, _RULE, _BASE = "#566072", "#eaedf1", "#b9c0cb"

_FONT = f'font-family="system-ui, DejaVu Sans, sans-serif" font-size="12" fill="{_TEXT}"'

Point = tuple[float, float]


class Axis(NamedTuple):
    """One direction of a plot: what it is, from where to where, and whether in equal factors instead of equal steps."""

    label: str
    low: float
    high: float
    is_log: bool = False

    def share(self, value: float) -> float:
        """Return where a value lies between low, 0, and high, 1."""
        low, high, at = (math.log(x) if self.is_log else x for x in (self.low, self.high, value))
        return (at - low) / (high - low) if high > low else 0.0

    def ticks(self) -> Iterator[float]:
        """Yield about six round values."""
        if not self.is_log:
            step = 10 ** math.floor(math.log10((self.high - self.low) / 4 or 1))
            step = next((step * k for k in (1, 2, 5) if (self.high - self.low) / (step * k) <= 7), step * 10)
            yield from (step * k for k in range(math.ceil(self.low / step), math.floor(self.high / step + 1e-9) + 1))
            return
        factor = 10 if self.high / self.low >= 1e4 else 2
        n_low, n_high = (math.log(x, factor) for x in (self.low, self.high))
        every = max(1, math.ceil((n_high - n_low) / 9))
        yield from (float(factor**k) for k in range(math.ceil(n_low - 1e-9), math.floor(n_high + 1e-9) + 1, every))


def short(value: float) -> str:
    """Return a number as a tick shows it."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e5, "k")):
        if value >= limit:
            return f"{value / 10 ** {'G': 9, 'M': 6, 'k': 3}[unit]:.4g}{unit}"
    return f"{value:,.6g}"


def line(points: Sequence[Point], x: Axis, y: Axis, *, marks: Sequence[tuple[Point, str]] = ()) -> str:
    """Return a plot of points joined by a line; a mark is a dot that says something when pointed at."""
    at = _place(x, y)
    path = " ".join(f"{'L' if index else 'M'}{px:.1f} {py:.1f}" for index, (px, py) in enumerate(map(at, points)))
    parts = [_axes(x, y), f'<path d="{path}" fill="none" stroke="{BLUE}" stroke-width="2.2" stroke-linejoin="round"/>']
    for point, said in marks:
        px, py = at(point)
        look = f'fill="{WHITE}" stroke="{BLUE}" stroke-width="2"'
        parts.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4" {look}><title>{escape(said)}</title></circle>')
    return _svg(parts)


def bars(names: Sequence[str], series: Sequence[tuple[str, Sequence[float]]], x_label: str, y_label: str) -> str:
    """Return a plot of bars side by side, one group for each name, with a legend; values are shares of one."""
    top = max((value for _, values in series for value in values), default=0.0) or 1.0
    y = Axis(y_label, 0, top * 100)
    x = Axis(x_label, 0, len(names))
    at = _place(x, y)
    parts = [_axes(x, y, names)]
    width = (WIDTH - LEFT - RIGHT) / max(1, len(names))
    each = width * 0.76 / len(series)
    for number, (colour, (label, values)) in enumerate(zip((BLUE, AMBER), series, strict=True)):
        for index, (name, value) in enumerate(zip(names, values, strict=True)):
            px, py = at((index, value * 100))
            px += width * 0.12 + number * each
            said = escape(f"{name}: {value:.1%} {label}")
            box = f'x="{px:.1f}" y="{py:.1f}" width="{each:.1f}" height="{HEIGHT - BOTTOM - py:.1f}"'
            parts.append(f'<rect fill="{colour}" {box}><title>{said}</title></rect>')
        row = TOP + 8 + 20 * number
        parts.append(f'<rect fill="{colour}" x="{WIDTH - 230}" y="{row}" width="12" height="12" rx="2"/>')
        parts.append(f'<text x="{WIDTH - 212}" y="{row + 10}">{escape(label)}</text>')
    return _svg(parts)


def byte_grid(kind: Callable[[int], tuple[str, str]]) -> str:
    """Return 16 by 16 cells, one for each byte; `kind` says its colour, and what it says when pointed at."""
    cell, edge = 18, 26
    parts = []
    for byte in range(256):
        row, column = divmod(byte, 16)
        colour, said = kind(byte)
        place = f'x="{edge + column * cell}" y="{edge + row * cell}" width="{cell - 2}" height="{cell - 2}"'
        colours = f'fill="{colour}" stroke="{PALE if colour == WHITE else colour}"'
        parts.append(f'<rect {colours} {place} rx="2"><title>{escape(said)}</title></rect>')
    for number in range(16):
        middle = edge + number * cell + cell / 2 - 1
        parts.append(f'<text text-anchor="middle" x="{middle}" y="{edge - 8}">{number:X}</text>')
        parts.append(f'<text text-anchor="end" x="{edge - 7}" y="{middle + 4}">{number:X}0</text>')
    size = edge + 16 * cell
    return f'<svg class="grid" viewBox="0 0 {size} {size}" width="{size}" {_FONT}>{"".join(parts)}</svg>'


def _place(x: Axis, y: Axis) -> Callable[[Point], Point]:
    def place(point: Point) -> Point:
        across, up = x.share(point[0]), y.share(point[1])
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    return place


def _axes(x: Axis, y: Axis, names: Sequence[str] | None = None) -> str:
    at = _place(x, y)
    parts = []
    for value in y.ticks():
        _, py = at((x.low, value))
        parts.append(f'<line stroke="{_RULE}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py:.1f}" y2="{py:.1f}"/>')
        parts.append(f'<text text-anchor="end" x="{LEFT - 8}" y="{py + 4:.1f}">{short(value)}</text>')
    ticks = (
        [(value, short(value)) for value in x.ticks()]
        if names is None
        else [(index + 0.5, name) for index, name in enumerate(names)]
    )
    for value, name in ticks:
        px, _ = at((value, y.low))
        row = HEIGHT - BOTTOM
        if names is None:
            parts.append(f'<line stroke="{_BASE}" x1="{px:.1f}" x2="{px:.1f}" y1="{row}" y2="{row + 5}"/>')
        parts.append(f'<text text-anchor="middle" x="{px:.1f}" y="{row + 18}">{escape(name)}</text>')
    row = HEIGHT - BOTTOM
    parts.append(f'<line stroke="{_BASE}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{row}" y2="{row}"/>')
    middle = (TOP + HEIGHT - BOTTOM) / 2
    turned = f'text-anchor="middle" transform="translate(14 {middle}) rotate(-90)"'
    parts.append(f"<text {turned}>{escape(y.label)}</text>")
    across = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text text-anchor="middle" x="{across}" y="{HEIGHT - 6}">{escape(x.label)}</text>')
    return "".join(parts)


def _svg(parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" {_FONT}>{"".join(parts)}</svg>'

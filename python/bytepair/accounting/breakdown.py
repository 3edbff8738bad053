"""A total and what it is the sum of: exact integers, each with the formula that it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bytepair.transformer.config import Config

__all__ = ["WIDTH", "Breakdown", "check_counts", "decimal_and_binary", "letters", "wrapped"]

WIDTH = 80
_NAME, _SHARE = 13, 8


@dataclass(frozen=True)
class Breakdown:
    """A total and what it is the sum of.

    Attributes
    ----------
    what : str
        What is counted, as a heading.
    unit : str
        ``"FLOPs"``, ``"parameters"`` or ``"bytes"``.
    components : mapping of str to int
        The parts, in the order of the computation. None is left out because it is small.
    formulas : mapping of str to str
        Of each part, in the letters of `letters`.
    letters : mapping of str to int
        What the letters of the formulas stand for, and may be of others.

    Examples
    --------
    >>> from bytepair.accounting import Breakdown
    >>> bill = Breakdown("Bytes of two arrays", "bytes", {"a": 3000, "b": 1000}, {"a": "3·N", "b": "N"}, {"N": 1000})
    >>> bill.total, bill.share("a")
    (4000, 0.75)
    >>> print(bill)
    Bytes of two arrays                                                bytes   share
      a            3·N                                                 3,000 75.00 %
      b            N                                                   1,000 25.00 %
      total                                                            4,000
                                                      = 4.000 kB = 3.906 KiB
      N 1,000
    """

    what: str
    unit: str
    components: Mapping[str, int]
    formulas: Mapping[str, str]
    letters: Mapping[str, int]

    @property
    def total(self) -> int:
        """The sum of the components."""
        return sum(self.components.values())

    def share(self, name: str) -> float:
        """Return the part of the total, 0 to 1, that a component is.

        Raises
        ------
        KeyError
            There is no such component.
        """
        part = self.components[name]
        return part / self.total if self.total else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return what `bytepair account --json` prints of it."""
        return {"unit": self.unit, "total": self.total, "components": dict(self.components)}

    def __str__(self) -> str:
        """Return a table of 80 columns."""
        figures = {name: f"{value:,}" for name, value in (*self.components.items(), ("total", self.total))}
        wide = max(len(self.unit), *map(len, figures.values()))
        left = WIDTH - wide - _SHARE
        lines = [f"{self.what:{left}}{self.unit:>{wide}}{'share':>{_SHARE}}"]
        for name in self.components:
            shown = f"  {name:{_NAME}}{self.formulas[name]}"
            if len(shown) >= left:
                # No room beside so long a figure.
                lines.append(shown)
                shown = ""
            lines.append(f"{shown:{left}}{figures[name]:>{wide}}{f'{100 * self.share(name):.2f} %':>{_SHARE}}")
        lines.append(f"  {'total':{left - 2}}{figures['total']:>{wide}}")
        if self.unit == "bytes":
            lines.append(f"{'= ' + decimal_and_binary(self.total):>{left + wide}}")
        used = set(re.findall(r"\w+", " ".join(self.formulas.values())))
        lines += wrapped(f"{letter} {value:,}" for letter, value in self.letters.items() if letter in used)
        return "\n".join(lines)


def letters(config: Config, **more: int) -> dict[str, int]:
    """Return what the letters of a formula stand for: those of `more`, then those of a config.

    B sequences, T queries each, S keys each; D ``d_model``, H query heads, K heads of keys and values, A wide each, F
    ``d_ff``, V the vocabulary, L layers.
    """
    return more | {
        "D": config.d_model,
        "H": config.num_heads,
        "K": config.num_kv_heads,
        "A": config.head_dim,
        "F": config.d_ff,
        "V": config.vocab_size,
        "L": config.num_layers,
    }


def check_counts(at_least: int = 1, **counts: int) -> None:
    """Refuse counts that are no integers, or too small.

    Raises
    ------
    TypeError, ValueError
        With the name of the argument.
    """
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool):
            raise TypeError(f"{name} must be an int, not {type(count).__name__}")
        if count < at_least:
            raise ValueError(f"{name} must be {at_least} or more, not {count}")


def decimal_and_binary(n_bytes: int) -> str:
    """Return a size in units of a power of 1000 and of one of 1024.

    Examples
    --------
    >>> from bytepair.accounting.breakdown import decimal_and_binary
    >>> decimal_and_binary(8_508_230_400)
    '8.508 GB = 7.924 GiB'
    """
    power = min(max(len(str(n_bytes)) - 1, 0) // 3, 5)
    decimal, binary = ("B", "kB", "MB", "GB", "TB", "PB")[power], ("B", "KiB", "MiB", "GiB", "TiB", "PiB")[power]
    if power == 0:
        return f"{n_bytes} B"
    return f"{n_bytes / 1000**power:.3f} {decimal} = {n_bytes / 1024**power:.3f} {binary}"


def wrapped(items: Iterable[str]) -> list[str]:
    """Return items as indented lines of at most 80 columns."""
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + 3 + len(item) <= WIDTH:
            lines[-1] += f" · {item}"
        else:
            lines.append(f"  {item}")
    return lines

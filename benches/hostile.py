"""Texts that slow tokenizers down, or bring them down: the families of `hostile.json`.

What a family says: one string `again` and again, or several, each for as many bytes; what is `first` and `last`, once;
or `random` characters of some ranges, "az" being one of them.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

FAMILIES: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def text_of(family: str, n_bytes: int) -> str:
    """Return a text of so many bytes of UTF-8, or a few less."""
    parts = FAMILIES[family]
    if "random" in parts:
        ranges = [range(ord(first), ord(last) + 1) for first, last in parts["random"]]
        characters = [chr(code) for codes in ranges for code in codes]
        return "".join(random.Random(1).choices(characters, k=n_bytes // len(characters[0].encode())))
    units = [parts["again"]] if isinstance(parts["again"], str) else parts["again"]
    first, last = parts.get("first", ""), parts.get("last", "")
    n_each = (n_bytes - len((first + last).encode())) // len(units)
    return first + "".join(unit * (n_each // len(unit.encode())) for unit in units) + last

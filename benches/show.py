"""The figures as tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import texts

MB = 10**6

Form = Callable[[float, int], str]

# How a figure is shown: its heading, and the number, of seconds or bytes and the bytes of text.
SPEED: Form = lambda seconds, n_bytes: f"{n_bytes / seconds / MB:.1f}"  # noqa: E731
MILLISECONDS: Form = lambda seconds, _: f"{1000 * seconds:.1f}"  # noqa: E731
MICROSECONDS: Form = lambda seconds, _: f"{1e6 * seconds:.2f}"  # noqa: E731
MEGABYTES: Form = lambda amount, _: f"{amount / MB:.0f}"  # noqa: E731
FORMS: dict[str, tuple[str, Form]] = {
    "cold": ("cold MB/s", SPEED),
    "warm": ("warm MB/s", SPEED),
    "first": ("ms", MILLISECONDS),
    "import": ("import ms", MILLISECONDS),
    "load": ("load ms", MILLISECONDS),
    "13 chars": ("13 ch. µs", MICROSECONDS),
    "58 chars": ("58 ch. µs", MICROSECONDS),
    "4 kB": ("4 kB µs", MICROSECONDS),
    "decode": ("µs", MICROSECONDS),
    "seconds": ("seconds", lambda seconds, _: f"{seconds:.2f}"),
    "peak": ("peak MB", MEGABYTES),
    "above": ("above in.", MEGABYTES),
}
HOSTILE_FORMS = {name: (f"{name} ms", MILLISECONDS) for name in ["cold", "warm"]}


def heading(report: dict[str, Any]) -> None:
    versions = report["versions"] | {"Python": report["python"]}
    print(f"{report['cpu']}, {report['processors']} processors, load {report['load']:.1f}; {report['date']}")
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    print(f"Medians of {report['runs']}; x: how many times ours that is, by time or memory")


def row(regime: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Print the last row's contestants: each figure, and how many times ours it is; before the first row, the heading."""
    last = rows[-1]
    forms = FORMS | (HOSTILE_FORMS if regime.get("unit") == "ms" else {})
    contestants = last["contestants"]
    names = list(next(iter(contestants.values()))["figures"])
    corpus = last["corpus"].removeprefix(texts.HOSTILE)
    width = max(map(len, contestants)) + 1
    if len(rows) == 1:
        print(f"\n{regime['name']}: {regime['title']}")
        titles = "".join(f"{forms[name][0]:>9}{'':7}" for name in names)
        print(f"{'corpus':10} {'':{width}}{titles}".rstrip())
    for contestant, found in contestants.items():
        line = f"{corpus:10} {contestant:{width}}"
        corpus = ""
        for name in names if "figures" in found else ():
            figure = found["figures"][name]
            line += f"{forms[name][1](figure['median'], last['n_bytes']):>9}"
            line += f"{figure['ratio']:>6.3g}x" if contestant != next(iter(contestants)) else " " * 7
        print((line + found.get("error", "")).rstrip()[:80], flush=True)

"""The table of what is aimed at: each figure, what it is beside a peer's, and whether that is enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from bytepair._measure.table import FORMS, times, value
from texts import HOSTILE

Row = dict[str, Any]


class Result(NamedTuple):
    """What came of a target on one corpus; the ratio is None where the figure stands for itself."""

    corpus: str
    shown: str
    beside: str
    ratio: float | None
    bound: float
    met: bool


def lines(targets: list[dict[str, Any]], regimes: dict[str, list[Row]]) -> Iterator[str]:
    """Yield the lines of the table, in Markdown; targets that were not measured are left out."""
    yield "| what | text | bytepair | beside it | target | met |"
    yield "|---|---|---|---|---|---|"
    for target in targets:
        found = [result(target, row, regimes) for row in regimes.get(target["regime"], [])]
        results = [each for each in found if each is not None]
        sign, worst = ("≥", min) if "at_least" in target else ("≤", max)
        if not isinstance(target.get("at_least", target.get("at_most")), dict):
            results = [worst(results, key=lambda each: each.ratio or float(each.shown))] if results else []
        if results:
            unit = FORMS[target["figure"]][1].split()[-1]
            cells = [
                target["what"],
                " / ".join(each.corpus for each in results),
                " / ".join(each.shown for each in results) + f" {unit}",
                " / ".join(f"{times(each.ratio)} {each.beside}" for each in results if each.ratio is not None),
                f"{sign} " + " / ".join(f"{each.bound:g}{'' if each.ratio is None else 'x'}" for each in results),
                " / ".join("yes" if each.met else "no" for each in results),
            ]
            yield f"| {' | '.join(cells)} |"


def result(target: dict[str, Any], row: Row, regimes: dict[str, list[Row]]) -> Result | None:
    """Return what came of a target; None where it has no bound for this corpus, or nothing was measured beside."""
    corpus = row["corpus"].removeprefix(HOSTILE)
    bound = target.get("at_least", target.get("at_most"))
    if isinstance(bound, dict):
        bound = bound.get(corpus)
    name, ratio = beside(target, row, regimes)
    if bound is None or (name and ratio is None):
        return None
    ours = next(iter(row["contestants"].values()))["figures"]
    shown = value(target["figure"], ours[FORMS[target["figure"]][0]]["median"], row["n_bytes"])
    judged = float(shown) if ratio is None else ratio
    return Result(corpus, shown, name, ratio, bound, judged >= bound if "at_least" in target else judged <= bound)


def beside(target: dict[str, Any], row: Row, regimes: dict[str, list[Row]]) -> tuple[str, float | None]:
    """Return what our figure is set beside, and how many times ours that is."""
    figure = FORMS[target["figure"]][0]
    (_, ours), *others = row["contestants"].items()
    own = ours["figures"][figure]["median"]
    if "over" in target:
        return target["over"], own / ours["figures"][target["over"]]["median"]
    if "same_as" in target:
        for other in regimes.get(target["same_as"], []):
            if other["corpus"] == row["corpus"]:
                base = next(iter(other["contestants"].values()))["figures"][figure]["median"]
                return target["same_as"], (base / other["n_bytes"]) / (own / row["n_bytes"])
        return target["same_as"], None
    found = [
        (each["figures"][figure]["ratio"], name)
        for name, each in others
        if "beside" in target and name.startswith(target["beside"]) and "figures" in each
    ]
    ratio, name = min(found, default=(None, target.get("beside", "")))
    return name, ratio

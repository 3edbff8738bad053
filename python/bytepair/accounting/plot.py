"""Shares of a forward pass as a picture: by model, and by length."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from bytepair import _figure
from bytepair.accounting.breakdown import Breakdown
from bytepair.accounting.flops import forward_flops
from bytepair.accounting.scaling import Scaling, crossover

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["picture"]

# From the bottom up: the products that grow with the square of the length, then the projections around them. Two blues,
# two greys and two warm colours: apart in print and for the colour-blind.
_LAYERS = {
    "scores": ("scores, Q·Kᵀ", "#1d6996", "white"),
    "values": ("values, weights·V", "#5fadd3", "black"),
    "qkv": ("Q, K, V", "#8d99ae", "black"),
    "output": ("output, W_O", "#c9ced6", "black"),
    "ffn": ("FFN", "#e0a030", "black"),
    "head": ("head", "#a23b3b", "white"),
}
# A share below this has no room for its figure.
_LABELLED = 0.035

_POINTS = 100
_TICKS = 6


def picture(scaling: Scaling, kind: str) -> bytes:
    r"""Draw the shares of each component, stacked: by model at the first length, by length for the last model.

    Parameters
    ----------
    scaling : Scaling
    kind : str
        What `matplotlib` can write, such as ``"png"``, ``"svg"`` or ``"pdf"``.

    Returns
    -------
    bytes
        The content of a file.

    Raises
    ------
    ModuleNotFoundError
        `matplotlib` is not installed: it comes with ``pip install 'bytepair[plot]'``.
    ValueError
        It cannot write this kind; the message lists those it can.

    Examples
    --------
    >>> from bytepair.accounting import picture, scaling
    >>> from bytepair.transformer import Config
    >>> sizes = {name: Config.preset(name) for name in ("small", "medium", "large", "xl")}
    >>> picture(scaling(sizes, [1024, 16384]), "png").startswith(b"\x89PNG")
    True
    """
    figure = _figure.new(kind, max(11, 6 + 1.25 * len(scaling.configs)), 5.4)
    if len(scaling.seq_lens) == 1:
        by_model = figure.subplots()
    else:
        ratios = (max(0.4, 0.3 * len(scaling.configs)), 1.4)
        by_model, by_length = figure.subplots(1, 2, sharey=True, width_ratios=ratios)
        _areas(by_length, scaling)
    _bars(by_model, scaling)
    handles, labels = by_model.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right center", frameon=False)
    figure.suptitle("Where the FLOPs of a forward pass go", x=0.01, ha="left", weight="bold")
    return _figure.content(figure, kind)


def _bars(axes: Axes, scaling: Scaling) -> None:
    """Draw a bar for each model, at the first length."""
    length = scaling.seq_lens[0]
    found = [row.flops for row in scaling.rows if row.seq_len == length]
    below = [0.0] * len(found)
    for component, (label, colour, _) in _LAYERS.items():
        shares = [flops.share(component) for flops in found]
        axes.bar(range(len(found)), shares, 0.72, below, color=colour, label=label)
        below = [under + share for under, share in zip(below, shares, strict=True)]
    for place, flops in enumerate(found):
        _figures(axes, flops, place, "center")
    names = [f"{name}\n{_flops(flops.total)}" for name, flops in zip(scaling.configs, found, strict=True)]
    axes.set_xticks(range(len(found)), names, parse_math=False)
    axes.set_title(f"At {length:,} tokens", size=11, loc="left")
    axes.set_ylabel("share of FLOPs, %")
    axes.set_yticks([n / 5 for n in range(6)], [f"{20 * n}" for n in range(6)])
    axes.set_ylim(0, 1)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _areas(axes: Axes, scaling: Scaling) -> None:
    """Draw the last model at all lengths from the first to the last, and where attention takes half."""
    name, config = list(scaling.configs.items())[-1]
    first, last = scaling.seq_lens[0], scaling.seq_lens[-1]
    lengths = sorted({round(first * (last / first) ** (step / _POINTS)) for step in range(_POINTS + 1)})
    found = [forward_flops(config, length) for length in lengths]
    shares = [[flops.share(component) for flops in found] for component in _LAYERS]
    axes.stackplot(lengths, shares, colors=[colour for _, colour, _ in _LAYERS.values()])
    _figures(axes, found[-1], last, "right")
    axes.set_xscale("log", base=2)
    n_doublings = int(math.log2(last / first))
    ticks = [first << step for step in range(0, n_doublings + 1, n_doublings // _TICKS + 1)]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.set_xlim(first, last)
    half = crossover(config)
    if first < half < last:
        axes.vlines(half, 0, 0.5, color="black", linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(half, 0.5, "o", color="black", markersize=5, clip_on=False)
        says = f"at {half:,} tokens,\nscores and values\nare half of it all"
        line = {"arrowstyle": "-", "linewidth": 1, "shrinkB": 4}
        middle = first * (half / first) ** 0.62
        box = {"boxstyle": "round", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
        note = axes.annotate(says, (half, 0.5), (middle, 0.8), ha="center", va="center", arrowprops=line, bbox=box)
        note.set_fontsize(9)
    axes.set_title(f"In {name}, by length", size=11, loc="left", parse_math=False)
    axes.set_xlabel("tokens")
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)


def _figures(axes: Axes, flops: Breakdown, x: float, side: Literal["center", "right"]) -> None:
    """Write each share into its layer, where there is room."""
    below = 0.0
    for component, (_, _, colour) in _LAYERS.items():
        share = flops.share(component)
        if share >= _LABELLED:
            shown = f"{100 * share:.1f}" + ("" if side == "center" else " ")
            axes.text(x, below + share / 2, shown, ha=side, va="center", size=8, color=colour)
        below += share


def _flops(count: int) -> str:
    """Return a count to three digits: "350 GFLOP"."""
    power = min((len(str(count)) - 1) // 3, 6)
    return f"{count / 1000**power:.3g} {('', 'k', 'M', 'G', 'T', 'P', 'E')[power]}FLOP"

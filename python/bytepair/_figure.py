"""A picture as the content of a file, drawn by matplotlib without a screen."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new(kind: str, width: float, height: float) -> Figure:
    """Return an empty figure, where matplotlib is there and can write this kind of file.

    Parameters
    ----------
    kind : str
        Such as ``"png"``, ``"svg"`` or ``"pdf"``.
    width, height : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ModuleNotFoundError
        `matplotlib` is not installed: it comes with ``pip install 'bytepair[plot]'``.
    ValueError
        It cannot write this kind; the message lists those it can.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        message = f"pictures are drawn with the package {error.name}: pip install 'bytepair[plot]'"
        raise ModuleNotFoundError(message, name=error.name) from None
    figure = Figure(figsize=(width, height), layout="constrained")
    kinds = figure.canvas.get_supported_filetypes()
    if kind not in kinds:
        raise ValueError(f"a picture can be one of {', '.join(kinds)}, not {kind!r:.20}")
    return figure


def content(figure: Figure, kind: str) -> bytes:
    """Return the content of a file that shows a figure."""
    file = io.BytesIO()
    figure.savefig(file, format=kind, dpi=150)
    return file.getvalue()

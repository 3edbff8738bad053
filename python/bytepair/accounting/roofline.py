"""How fast a model could be here: the bytes and FLOPs that it needs, over those that this machine gives a second.

Williams, Waterman and Patterson, *Roofline: An Insightful Visual Performance Model*, 2009: a computation takes at least
the time for its FLOPs, and at least the time for the bytes that it must read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from bytepair.accounting.breakdown import check_counts
from bytepair.accounting.flops import decode_flops, forward_flops
from bytepair.accounting.memory import decode_bytes
from bytepair.transformer.config import Config

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Bound", "Machine", "Model", "Roofline", "measure_machine", "roofline"]

# The square product whose speed counts as the machine's.
_SIDE = 1024
# Columns of the matrix that is read for the machine's bandwidth, and the most of its rows: 256 MiB of float32.
_COLUMNS, _ROWS = 4096, 16_384


class Model(Protocol):
    """What is asked of a model to measure it: `bytepair.transformer.Transformer` is one."""

    @property
    def config(self) -> Config:
        """Its shape."""

    def new_cache(self, batch: int, max_length: int) -> Any:  # noqa: ANN401
        """Return an empty cache."""

    def __call__(self, ids: npt.ArrayLike, *, cache: Any, last_only: bool) -> npt.NDArray[np.floating[Any]]:  # noqa: ANN401
        """Return logits."""


class Machine(NamedTuple):
    """What this machine gives, with the threads that NumPy's BLAS has.

    Attributes
    ----------
    bytes_per_second : float
        Read from memory by a product of a float32 matrix and a vector.
    flops_per_second : float
        Of a product of two square matrices in float32.
    """

    bytes_per_second: float
    flops_per_second: float


class Bound(NamedTuple):
    """What one kind of work takes.

    Attributes
    ----------
    what : str
    n_tokens : int
        How many tokens come of it, or go into it.
    flops, n_bytes : int
        Matrix products, and what must be read from memory.
    seconds : float
        The least it can take on the machine.
    by : {"memory", "arithmetic"}
        What decides.
    measured : float or None
        Seconds that the model took, where one was given.
    """

    what: str
    n_tokens: int
    flops: int
    n_bytes: int
    seconds: float
    by: Literal["memory", "arithmetic"]
    measured: float | None


@dataclass(frozen=True)
class Roofline:
    """What a machine gives, and what a model could make and does make of it.

    Attributes
    ----------
    machine : Machine
    bounds : tuple of Bound
        Of reading a prompt, and of making one more token.
    """

    machine: Machine
    bounds: tuple[Bound, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return what `bytepair account --json` prints of it."""
        return {"machine": self.machine._asdict(), "bounds": [bound._asdict() for bound in self.bounds]}

    def __str__(self) -> str:
        """Return a table of 80 columns."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        memory, arithmetic = (rate / 1e9 for rate in self.machine)
        yield f"This machine, in float32: {memory:,.1f} GB/s, {arithmetic:,.1f} GFLOP/s"
        yield f"{'':32}{'bound by':>12}{'tokens/s':>12}{'measured':>12}{'of bound':>12}"
        for bound in self.bounds:
            line = f"  {bound.what:30}{bound.by:>12}{bound.n_tokens / bound.seconds:12,.1f}"
            if bound.measured is not None:
                line += f"{bound.n_tokens / bound.measured:12,.1f}{bound.seconds / bound.measured:12.0%}"
            yield line


def measure_machine(n_bytes: int = 4 * _COLUMNS * _ROWS, seconds: float = 1.0) -> Machine:
    """Measure how fast this machine reads memory and multiplies matrices, with the threads that BLAS has.

    Both are done in turn, and the best of all runs counts, as it is a bound.

    Parameters
    ----------
    n_bytes : int, default 256 MiB
        Of the matrix to read, at most 256 MiB: as large as a model's weights, so that what a processor's caches keep of
        them they keep of it.
    seconds : float, default 1.0

    Returns
    -------
    Machine

    Raises
    ------
    TypeError, ValueError
        `n_bytes` is no positive integer.

    Examples
    --------
    >>> from bytepair.accounting import measure_machine
    >>> machine = measure_machine(2**20, seconds=0.01)
    >>> machine.bytes_per_second > 0 and machine.flops_per_second > 0
    True
    """
    check_counts(n_bytes=n_bytes)
    reference = _reference(n_bytes)
    return _rates(reference, _best(reference, seconds))


def roofline(
    config: Config,
    model: Model | None = None,
    *,
    seq_len: int = 512,
    seconds: float = 1.0,
    machine: Machine | None = None,
) -> Roofline:
    """Return how many tokens a second a model of this shape could read and make here, in float32 and one at a time.

    To read a prompt takes `forward_flops` (those executed, and the last logits alone), to make a token `decode_bytes`
    and `decode_flops`. The bound is the longer of the times for FLOPs and bytes; nothing else is in it, so no model
    reaches it.

    Parameters
    ----------
    config : Config
    model : Transformer, optional
        A model of this shape, to measure beside the bounds.
    seq_len : int, default 512
        Tokens of the prompt, and in the cache when one more is made; at most one less than the context.
    seconds : float, default 1.0
        About how long to measure the machine, and as long again for the model.
    machine : Machine, optional
        By default `measure_machine`.

    Returns
    -------
    Roofline

    Raises
    ------
    TypeError, ValueError
        `seq_len` is no positive integer, or the model has another shape or no room for one token more.

    Examples
    --------
    >>> from bytepair.accounting import Machine, roofline
    >>> from bytepair.transformer import Config
    >>> print(roofline(Config.preset("smollm2-135m"), machine=Machine(17e9, 88e9)))
    This machine, in float32: 17.0 GB/s, 88.0 GFLOP/s
                                        bound by    tokens/s    measured    of bound
      read 512 tokens                 arithmetic       375.2
      make a token after 512              memory        30.3
    """
    check_counts(seq_len=seq_len)
    if model is not None and (model.config != config or seq_len >= config.context_length):
        raise ValueError(f"to measure it, the model must be of this config, and seq_len below {config.context_length}")
    reading, making = decode_bytes(config, seq_len - 1), decode_bytes(config, seq_len)
    # One after the other in each round, so that all are measured under the same load.
    reference = [] if machine is not None else _reference(making.total)
    best = _best(reference + ([] if model is None else _work(model, seq_len)), seconds)
    if machine is None:
        machine = _rates(reference, best)
    read, make = best[len(reference) :] if model is not None else (None, None)
    prompt = forward_flops(config, seq_len, causal="executed", last_only=True).total
    token = decode_flops(config, seq_len).total
    bounds = (
        _bound(f"read {seq_len:,} tokens", seq_len, prompt, reading.total, machine, read),
        _bound(f"make a token after {seq_len:,}", 1, token, making.total, machine, make),
    )
    return Roofline(machine, bounds)


def _bound(what: str, n_tokens: int, flops: int, n_bytes: int, machine: Machine, measured: float | None) -> Bound:
    arithmetic, memory = flops / machine.flops_per_second, n_bytes / machine.bytes_per_second
    by: Literal["memory", "arithmetic"] = "memory" if memory > arithmetic else "arithmetic"
    return Bound(what, n_tokens, flops, n_bytes, max(arithmetic, memory), by, measured)


class _Work(NamedTuple):
    """Something to time, and how many bytes it reads or FLOPs it takes where that is known."""

    run: Callable[[], object]
    amount: int = 0


def _reference(n_bytes: int) -> list[_Work]:
    """Return the two products that the machine is measured by."""
    import numpy as np

    rows = min(max(n_bytes // (4 * _COLUMNS), 1), _ROWS)
    matrix, vector, result = (np.ones(shape, np.float32) for shape in ((rows, _COLUMNS), _COLUMNS, rows))
    square, product = np.ones((_SIDE, _SIDE), np.float32), np.empty((_SIDE, _SIDE), np.float32)
    return [
        _Work(lambda: np.matmul(matrix, vector, out=result), matrix.nbytes),
        _Work(lambda: np.matmul(square, square, out=product), 2 * _SIDE**3),
    ]


def _rates(reference: list[_Work], best: list[float]) -> Machine:
    return Machine(*(work.amount / seconds for work, seconds in zip(reference, best, strict=False)))


def _work(model: Model, seq_len: int) -> list[_Work]:
    """Return what the model does to read a prompt, and to make one more token."""
    import numpy as np

    prompt, token = np.zeros((1, seq_len), np.int64), np.zeros((1, 1), np.int64)
    cache = model.new_cache(1, seq_len + 1)

    def read() -> None:
        cache.truncate(0)
        model(prompt, cache=cache, last_only=True)

    def make() -> None:
        cache.truncate(seq_len)
        model(token, cache=cache, last_only=True)

    return [_Work(read), _Work(make)]


def _best(works: list[_Work], seconds: float) -> list[float]:
    """Return the least seconds of each: of a round that does not count, and two or more until the time is up."""
    for work in works:
        work.run()
    best, end, n_rounds = [float("inf")] * len(works), time.perf_counter() + seconds * len(works) / 2, 0
    while n_rounds < 2 or time.perf_counter() < end:
        for index, work in enumerate(works):
            started = time.perf_counter()
            work.run()
            best[index] = min(best[index], time.perf_counter() - started)
        n_rounds += 1
    return best

"""From logits to ids: the distribution of the next id, and a model's continuation of a text."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from bytepair.errors import ShapeError
from bytepair.transformer.model import Transformer

__all__ = ["distribution", "generate"]


def distribution(
    logits: npt.ArrayLike,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
) -> npt.NDArray[np.float64]:
    """Return the probability of each id to be next.

    Parameters
    ----------
    logits : array of shape (V,)
    temperature : float, default 1.0
        Logits are divided by it. With 0 the id of the highest logit is certain, the lowest
        of those where they are several.
    top_k : int, optional
        Keep the k most likely ids.
    top_p : float, optional
        Then keep the fewest of the most likely ids that have this probability together: Holtzman et al. 2020.
    min_p : float, optional
        Then keep ids that have this part, from 0 to 1, of the highest probability: Nguyen et al. 2024.

    Returns
    -------
    numpy.ndarray of float64, shape (V,)
        Of ids that are not kept, 0. Where equals are at a limit, low ids are kept before high ones.

    Raises
    ------
    ValueError
        An argument is out of range, or a logit is NaN or plus infinity, or all are minus infinity.

    Examples
    --------
    >>> from bytepair.transformer import distribution
    >>> distribution([2.0, 1.0, 0.0], top_k=2).round(3)
    array([0.731, 0.269, 0.   ])
    >>> distribution([0.0, 3.0, 3.0], temperature=0)
    array([0., 1., 0.])
    """
    _check_options(temperature, top_k, top_p, min_p)
    row = np.array(logits, np.float64)
    if row.ndim != 1 or row.size == 0:
        raise ShapeError(f"logits must be those of one position, (V,), not {row.shape}")
    if not row.max() < np.inf or row.max() == -np.inf:
        raise ValueError("there is no distribution: a logit is NaN or infinite, or all are minus infinity")
    p = np.zeros_like(row)
    if temperature == 0:
        p[row.argmax()] = 1
        return p
    row -= row.max()  # Not to overflow, however low the temperature.
    with np.errstate(over="ignore"):
        row /= temperature
    np.exp(row, out=p)
    p /= p.sum()
    # The most likely first, of equals the lowest id; only if one of the first two asks for an order.
    if top_k is not None or top_p is not None:
        order = np.argsort(-p, kind="stable") if top_k is None else _first(p, top_k)
        if top_p is not None:
            mass = np.cumsum(p[order])
            # Those before which less than top_p of the mass lies: rounding must not make it one more.
            order = order[: 1 + np.count_nonzero(mass[:-1] < top_p * mass[-1])]
        kept = p[order]
        p[:] = 0
        p[order] = kept
    if min_p is not None:
        p[p < min_p * p.max()] = 0
    p /= p.sum()
    return p


def _first(p: npt.NDArray[np.float64], k: int) -> npt.NDArray[np.intp]:
    """Return the k most likely ids, the most likely first, of equals the lowest first."""
    if k >= len(p):
        return np.argsort(-p, kind="stable")
    least = np.partition(p, len(p) - k)[len(p) - k]
    above, equal = np.flatnonzero(p > least), np.flatnonzero(p == least)
    ids = np.concatenate([above, equal[: k - len(above)]])
    return ids[np.argsort(-p[ids], kind="stable")]


def generate(
    model: Transformer,
    ids: npt.ArrayLike,
    *,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    stop_ids: Collection[int] = (),
    rng: np.random.Generator | None = None,
) -> Iterator[int]:
    """Yield the ids that a model continues a text with, each when it is known.

    Parameters
    ----------
    model : Transformer
    ids : array of int, shape (T,)
        The text so far, at least one id.
    max_new_tokens : int
    temperature, top_k, top_p, min_p
        As for `distribution`.
    stop_ids : collection of int, optional
        The end is before the first of these.
    rng : numpy.random.Generator, optional
        Where the draws come from; the same state gives the same ids. By default a new one, of the system's entropy.

    Returns
    -------
    iterator of int

    Raises
    ------
    ShapeError
        There are no ids, or the context has no room for them and the new ones.
    TokenIdError, ValueError
        An id is not one of the model's; an argument is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from bytepair.transformer import Config, Transformer, generate
    >>> config = Config(vocab_size=257, context_length=64, num_layers=2, d_model=64, num_heads=4, d_ff=176)
    >>> model = Transformer.init(config, seed=0)
    >>> once, again = (list(generate(model, [1, 2], max_new_tokens=9, rng=np.random.default_rng(5))) for _ in "ab")
    >>> len(once), once == again
    (9, True)
    """
    options = (temperature, top_k, top_p, min_p)
    _check_options(*options)
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens must be 0 or more, not {max_new_tokens}")
    prompt = np.asarray(ids)
    if prompt.ndim != 1 or prompt.size == 0:
        raise ShapeError(f"ids must be those of one text, one or more, not of shape {prompt.shape}")
    # The last new id is not looked at any more.
    length, room = len(prompt) + max_new_tokens - 1, model.config.context_length
    if length > room:
        message = f"{len(prompt)} ids and {max_new_tokens} new ones are more than the context of {room} has room for"
        raise ShapeError(message)
    return _continue(model, prompt, max_new_tokens, options, frozenset(stop_ids), rng or np.random.default_rng())


def _continue(
    model: Transformer,
    prompt: npt.NDArray[Any],
    max_new_tokens: int,
    options: tuple[float, int | None, float | None, float | None],
    stop_ids: frozenset[int],
    rng: np.random.Generator,
) -> Iterator[int]:
    temperature, top_k, top_p, min_p = options
    if max_new_tokens == 0:
        return
    new, cache = prompt, model.new_cache(1, len(prompt) + max_new_tokens - 1)
    for _ in range(max_new_tokens):
        logits = model([new], cache=cache, last_only=True)[0, 0]  # (1, T) -> (V,)
        p = distribution(logits, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)  # (V,)
        # One number from the generator for each id, whatever its version does in `choice`.
        at = np.searchsorted(np.cumsum(p), rng.random() * p.sum(), side="right")
        token_id = int(min(at, np.flatnonzero(p)[-1]))
        if token_id in stop_ids:
            return
        yield token_id
        new = np.array([token_id])


def _check_options(temperature: float, top_k: int | None, top_p: float | None, min_p: float | None) -> None:
    if not 0 <= temperature < np.inf:
        raise ValueError(f"temperature must be 0 or more and finite, not {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be 1 or more, not {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, not {top_p}")
    if min_p is not None and not 0 <= min_p <= 1:
        raise ValueError(f"min_p must be from 0 to 1, not {min_p}")

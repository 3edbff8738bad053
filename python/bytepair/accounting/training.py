"""What training with AdamW takes: memory, the largest batch in it, and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from bytepair.accounting.breakdown import Breakdown, check_counts, letters
from bytepair.accounting.flops import forward_flops
from bytepair.accounting.parameters import bytes_of, parameters
from bytepair.transformer.config import Config

__all__ = ["TrainingTime", "activations", "max_batch", "training_flops", "training_memory", "training_time"]

TrainingDtype = Literal["float32", "bfloat16", "float16"]

# FLOPs of AdamW for each parameter: 3 for the first moment (two products, a sum), 4 for the second (three products, a
# sum), 5 for the step (root, sum, quotient, product, difference), 2 for the decay (product, difference).
_ADAMW_FLOPS = 14


def activations(config: Config, batch: int, seq_len: int, dtype: TrainingDtype = "float32") -> Breakdown:
    """Return the bytes of what the forward pass keeps for the backward pass.

    One array for each step whose result a gradient needs, as Stanford's CS336 lists them (assignment 1,
    *adamw_accounting*; 2026 with a gate, 2025 without). Scores and their softmax are kept whole: a fused attention, or
    layers that are computed again, keep less.

    Parameters
    ----------
    config : Config
    batch : int
        B, sequences.
    seq_len : int
        T, tokens of each.
    dtype : {"float32", "bfloat16", "float16"}, default "float32"

    Returns
    -------
    Breakdown
        In bytes.

    Raises
    ------
    TypeError, ValueError
        A count is no positive integer, or `dtype` is unknown.

    Examples
    --------
    >>> from bytepair.accounting import activations
    >>> from bytepair.transformer import Config
    >>> activations(Config.preset("gpt2-xl-notes"), 1, 1024).total
    18034335744
    """
    check_counts(batch=batch, seq_len=seq_len)
    n_bytes = _bytes_of(dtype)
    d, f, heads = config.d_model, config.d_ff, config.num_heads
    heads_wide = heads + 2 * config.num_kv_heads
    gate = {"gate": (f, "F"), "product": (f, "F")} if config.activation == "swiglu" else {}
    in_each_layer = {
        "norms": (2 * d, "2·D"),
        "qkv": (heads_wide * config.head_dim, "(H + 2·K)·A"),
        "scores": (heads * seq_len, "H·T"),
        "softmax": (heads * seq_len, "H·T"),
        "values": (heads * config.head_dim, "H·A"),
        "output": (d, "D"),
        "up": (f, "F"),
        "activation": (f, "F"),
        **gate,
        "down": (d, "D"),
    }
    once = {"final norm": (d, "D"), "logits": (config.vocab_size, "V"), "loss": (config.vocab_size, "V")}
    tokens, layers = n_bytes * batch * seq_len, config.num_layers
    components = {name: tokens * layers * numbers for name, (numbers, _) in in_each_layer.items()}
    components |= {name: tokens * numbers for name, (numbers, _) in once.items()}
    formulas = {name: f"{n_bytes}·B·T·L·{formula}" for name, (_, formula) in in_each_layer.items()}
    formulas |= {name: f"{n_bytes}·B·T·{formula}" for name, (_, formula) in once.items()}
    what = f"Bytes of activations as {dtype}"
    return Breakdown(what, "bytes", components, formulas, letters(config, B=batch, T=seq_len))


def training_memory(
    config: Config, batch: int, seq_len: int | None = None, dtype: TrainingDtype = "float32"
) -> Breakdown:
    """Return the bytes that training with AdamW keeps: 16 for each parameter, and the activations.

    AdamW (Loshchilov and Hutter, *Decoupled Weight Decay Regularization*, 2019, algorithm 2) keeps two moments. In 16
    bits, weights and gradients take 2 bytes each, and weights are kept a second time in 32 (Rajbhandari et al.,
    *ZeRO*, 2020, section 3.1): 16 bytes again.

    Parameters
    ----------
    config : Config
    batch : int
        B, sequences.
    seq_len : int, optional
        T, tokens of each; by default the context.
    dtype : {"float32", "bfloat16", "float16"}, default "float32"
        Of weights, gradients and activations.

    Returns
    -------
    Breakdown
        In bytes. `activations` lists the last component.

    Raises
    ------
    TypeError, ValueError
        A count is no positive integer, or `dtype` is unknown.

    Examples
    --------
    >>> from bytepair.accounting import training_memory
    >>> from bytepair.transformer import Config
    >>> training_memory(Config.preset("gpt2-xl-notes"), batch=2).components
    {'weights': 8508230400, 'gradients': 8508230400, 'moments': 17016460800, 'activations': 36068671488}
    """
    n_bytes = _bytes_of(dtype)
    kept = activations(config, batch, config.context_length if seq_len is None else seq_len, dtype)
    n_parameters = parameters(config).total
    per_parameter = {"weights": n_bytes, "gradients": n_bytes, "moments": 8} | (
        {} if n_bytes == 4 else {"master copy": 4}
    )
    return Breakdown(
        f"Bytes of training with AdamW, {dtype}",
        "bytes",
        {name: each * n_parameters for name, each in per_parameter.items()} | {"activations": kept.total},
        {name: f"{each}·N" for name, each in per_parameter.items()} | {"activations": "activations(B, T)"},
        {"N": n_parameters, "B": kept.letters["B"], "T": kept.letters["T"]},
    )


def max_batch(
    config: Config, memory: int = 80 * 10**9, seq_len: int | None = None, dtype: TrainingDtype = "float32"
) -> int:
    """Return the most sequences that can be trained on at once: 0 where not even one fits.

    What `training_memory` counts is ``b + a·B`` bytes, so this is ``(memory - b) // a``.

    Parameters
    ----------
    config : Config
    memory : int, default 80 GB
        In bytes. ``80 * 2**30`` is 7 % more.
    seq_len : int, optional
        Tokens a sequence; by default the context.
    dtype : {"float32", "bfloat16", "float16"}, default "float32"

    Returns
    -------
    int
        Sequences.

    Raises
    ------
    TypeError, ValueError
        A count is no positive integer, or `dtype` is unknown.

    Examples
    --------
    >>> from bytepair.accounting import max_batch
    >>> from bytepair.transformer import Config
    >>> max_batch(Config.preset("gpt2-xl-notes")), max_batch(Config.preset("small"))
    (2, 30)
    """
    check_counts(memory=memory)
    one = training_memory(config, 1, seq_len, dtype)
    each = one.components["activations"]
    return max(0, (memory - (one.total - each)) // each)


def training_flops(config: Config, batch: int, seq_len: int | None = None) -> Breakdown:
    """Return the FLOPs of one step: forward, backward, which is twice that, and AdamW.

    Each product of the forward pass has two in the backward pass, for the gradients of both operands (Kaplan et al.,
    *Scaling Laws for Neural Language Models*, 2020, section 2.1). All pairs of queries and keys are counted.

    Parameters
    ----------
    config : Config
    batch : int
        B, sequences.
    seq_len : int, optional
        T, tokens of each; by default the context.

    Returns
    -------
    Breakdown
        In FLOPs.

    Raises
    ------
    TypeError, ValueError
        A count is no positive integer.

    Examples
    --------
    >>> from bytepair.accounting import training_flops
    >>> from bytepair.transformer import Config
    >>> training_flops(Config.preset("gpt2-xl-notes"), batch=1024).components
    {'forward': 4621656601395200, 'backward': 9243313202790400, 'optimizer': 29778806400}
    """
    return _training_flops(config, 1, batch, seq_len)


@dataclass(frozen=True)
class TrainingTime:
    """FLOPs of a training run, and the time that they take.

    Attributes
    ----------
    flops : Breakdown
    seconds : float
    """

    flops: Breakdown
    seconds: float

    @property
    def days(self) -> float:
        """Days of 24 hours."""
        return self.seconds / 86_400


def training_time(
    config: Config,
    steps: int,
    batch: int,
    flops_per_second: int | float,
    utilization: float = 0.5,
    seq_len: int | None = None,
) -> TrainingTime:
    """Return how long a training run takes: its FLOPs, divided by those that the hardware does in a second.

    Parameters
    ----------
    config : Config
    steps : int
    batch : int
        Sequences a step.
    flops_per_second : int or float
        The peak of the hardware, such as 19.5e12 for an A100 in float32.
    utilization : float, default 0.5
        The part of the peak that is reached, above 0 and at most 1: *model FLOPs utilization* (Chowdhery et al.,
        *PaLM*, 2022, section 4.1).
    seq_len : int, optional
        Tokens a sequence; by default the context.

    Returns
    -------
    TrainingTime

    Raises
    ------
    TypeError, ValueError
        A count is no positive integer, a rate is not positive, or `utilization` is above 1.

    Examples
    --------
    >>> from bytepair.accounting import training_time
    >>> from bytepair.transformer import Config
    >>> round(training_time(Config.preset("gpt2-xl-notes"), 400_000, 1024, 19.5e12).days)
    6584
    """
    if not 0 < flops_per_second < float("inf"):
        raise ValueError(f"flops_per_second must be above 0, not {flops_per_second}")
    if not 0 < utilization <= 1:
        raise ValueError(f"utilization must be above 0 and at most 1, not {utilization}")
    flops = _training_flops(config, steps, batch, seq_len)
    return TrainingTime(flops, flops.total / (flops_per_second * utilization))


def _training_flops(config: Config, steps: int, batch: int, seq_len: int | None) -> Breakdown:
    check_counts(steps=steps)
    seq_len = config.context_length if seq_len is None else seq_len
    forward = steps * forward_flops(config, seq_len, batch).total
    n_parameters = parameters(config).total
    return Breakdown(
        "FLOPs of training",
        "FLOPs",
        {"forward": forward, "backward": 2 * forward, "optimizer": steps * _ADAMW_FLOPS * n_parameters},
        {"forward": "steps·forward(B, T)", "backward": "2·steps·forward(B, T)", "optimizer": f"{_ADAMW_FLOPS}·steps·N"},
        {"steps": steps, "B": batch, "T": seq_len, "N": n_parameters},
    )


def _bytes_of(dtype: TrainingDtype) -> int:
    if dtype not in get_args(TrainingDtype):
        raise ValueError(f"dtype must be one of {', '.join(get_args(TrainingDtype))}, not {dtype!r}")
    return bytes_of(dtype)

"""The second half of the tour: a transformer reads the ids, and what that costs is counted beside its formulas."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bytepair import Tokenizer
from bytepair.cli import _common

if TYPE_CHECKING:
    from rich.console import Console

# Ids that the model reads, and that it adds.
_READ = 192
_ADDED = 24

# The model that is set beside: GPT-2 XL's shape with RoPE, RMSNorm and SwiGLU.
_BESIDE = "gpt2-xl-notes"


def read_ids(tokenizer: Tokenizer, path: Path) -> dict[str, Any]:
    """Let a small model with random weights read a file and go on; count what is executed."""
    import numpy as np

    from bytepair.accounting import forward_flops, parameters
    from bytepair.transformer import Config, Transformer, count_flops, cross_entropy, generate

    config = Config(
        vocab_size=tokenizer.vocab_size, context_length=256, num_layers=4, d_model=256, num_heads=8, d_ff=688
    )
    model = Transformer.init(config, seed=0)
    ids = tokenizer.encode(path.read_bytes())[:_READ]
    started = time.perf_counter()
    with count_flops() as counted:
        logits = model([ids])
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    added = list(generate(model, ids, max_new_tokens=_ADDED, top_p=0.9, rng=np.random.default_rng(0)))
    generate_seconds = time.perf_counter() - started
    beside = Config.preset(_BESIDE)
    formula = forward_flops(config, len(ids), causal="executed")
    return {
        "file": path.name,
        "config": {name: getattr(config, name) for name in ("num_layers", "d_model", "num_heads", "d_ff")},
        "ids": len(ids),
        "logits_shape": list(logits.shape),
        "seconds": round(seconds, 4),
        "loss": round(cross_entropy(logits[0, :-1], ids[1:]), 3),
        "loss_of_a_guess": round(math.log(config.vocab_size), 3),
        "added": tokenizer.decode(added),
        "tokens_per_second": round(len(added) / generate_seconds, 1),
        "parameters": {
            "counted": sum(array.size for array in model.weights.values()),
            "formula": parameters(config).total,
            "beside": parameters(beside).total,
        },
        "flops": {
            "counted": dict(counted),
            "formula": dict(formula.components),
            "beside": dict(forward_flops(beside, beside.context_length).components),
        },
        "beside": {"name": _BESIDE, "ids": beside.context_length},
    }


def is_proved(figures: dict[str, Any]) -> bool:
    """Whether each count is what its formula says."""
    return all(figures[what]["counted"] == figures[what]["formula"] for what in ("parameters", "flops"))


def show(console: Console, figures: dict[str, Any]) -> None:
    """Print what the model did."""
    config, beside = figures["config"], figures["beside"]
    console.print("\n[bold]6. A transformer reads the ids; its weights are random, it has learned nothing[/]")
    shape = f"{config['num_layers']} layers, d_model {config['d_model']}, {config['num_heads']} heads"
    console.print(f"   {shape}, d_ff {config['d_ff']}; in NumPy")
    shape = " × ".join(f"{size:,}" for size in figures["logits_shape"])
    console.print(f"   {figures['ids']} ids of {figures['file']} in, logits of {shape} out, ", end="")
    console.print(f"in {figures['seconds']:.2f} s")
    console.print(f"   its loss is {figures['loss']:.2f}; that of guessing, ", end="")
    console.print(f"ln {figures['logits_shape'][-1]:,}, is {figures['loss_of_a_guess']:.2f}")
    console.print(f"   so it goes on without sense, {figures['tokens_per_second']:.0f} tokens a second:")
    console.print(f"     {_common.show_bytes(figures['added'].encode())[:70]}", markup=False)
    console.print("\n[bold]7. What that took, counted while it ran; beside it, GPT-2 XL's shape[/]")
    here, there = f"this, {figures['ids']} ids", f"XL, {beside['ids']:,} ids"
    console.print(f"   {'':14}{here:>18}{'share':>8}{there:>24}{'share':>8}")
    _show_row(console, "parameters", figures["parameters"])
    flops = figures["flops"]
    total = {kind: sum(components.values()) for kind, components in flops.items()}
    for name in flops["counted"]:
        _show_row(console, f"FLOPs {name}", {kind: flops[kind][name] for kind in flops}, total)
    _show_row(console, "FLOPs", total)
    verdict = (
        "each as its formula says, integer for integer" if is_proved(figures) else "[red]not as the formulas say[/]"
    )
    console.print(f"   counted: {verdict}")
    n_bytes = 4 * figures["parameters"]["beside"]
    console.print(f"   XL's parameters in single precision: {n_bytes:,} bytes, {n_bytes / 1e9:.3f} GB")


def _show_row(console: Console, name: str, row: dict[str, int], total: dict[str, int] | None = None) -> None:
    shares = [f"{row[kind] / total[kind]:8.1%}" if total else 8 * " " for kind in ("counted", "beside")]
    console.print(f"   {name:14}{row['counted']:18,}{shares[0]}{row['beside']:24,}{shares[1]}".rstrip())

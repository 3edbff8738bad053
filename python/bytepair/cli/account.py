"""Count what a transformer costs: parameters, FLOPs, memory and time, with the formula of each figure."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bytepair import _files
from bytepair.cli import _common

if TYPE_CHECKING:
    # All that knows transformers imports NumPy, for which the other verbs shall not wait.
    from bytepair.accounting import Model, Roofline
    from bytepair.transformer.config import Config

# The most bytes of weights that a model is made with to be measured, and the most tokens of its prompt.
_LARGEST = 2 * 2**30
_PROMPT = 512


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    known = (
        "a config.json of Hugging Face, or gpt2-xl-notes, tinystories, smollm2-135m, small, medium, large, xl: GPT-2's "
        "sizes with RMSNorm, RoPE and SwiGLU; with a narrower FFN as small-8/3; GPT-2 itself as gpt2-small"
    )
    parser.add_argument("config", metavar="NAME|PATH", help=known)
    parser.add_argument("--seq-len", type=_length, metavar="N", help="tokens of an input (default: the context)")
    parser.add_argument(
        "--compare", nargs="+", default=[], metavar="NAME|PATH", help="models to set beside it, the smallest first"
    )
    parser.add_argument(
        "--roofline", action="store_true", help="measure this machine for a second, and the model with random weights"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw where FLOPs go, by model and by length")


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    from bytepair.accounting import picture
    from bytepair.accounting.report import Report

    names = _names([options.config, *options.compare])
    config = _config(options.config)
    compared = {names[given]: _config(given) for given in options.compare}
    report = Report(names[options.config], config, options.seq_len or config.context_length, compared)
    if options.plot is not None:
        content = picture(report.scaling, options.plot.suffix.removeprefix("."))
        _files.write({options.plot: content})
    found = _roofline(config, report.seq_len) if options.roofline else None
    if options.json:
        _common.print_json(report.as_dict() | ({} if found is None else {"roofline": found.as_dict()}))
    else:
        print(report if found is None else f"{report}\n\n{found}")
    return 0


def _roofline(config: Config, seq_len: int) -> Roofline:
    """Measure this machine, and a model of this shape if its weights are not too large."""
    from bytepair.accounting import roofline, weight_bytes

    model: Model | None = None
    if weight_bytes(config).total <= _LARGEST:
        from bytepair.transformer import Transformer

        model = Transformer.init(config, seed=0)
    return roofline(config, model, seq_len=max(1, min(seq_len, _PROMPT, config.context_length - 1)))


def _names(given: Sequence[str]) -> dict[str, str]:
    """Return what to call each: files by the folder that they are in, if that tells them apart."""
    short = {name: "/".join(Path(name).parts[-2:]) if name.endswith(".json") else name for name in given}
    return short if len(set(short.values())) == len(short) else {name: name for name in given}


def _config(name: str) -> Config:
    """Return the shape in a file, or the preset of this name."""
    from bytepair.transformer.config import Config
    from bytepair.transformer.formats import read_config

    return read_config(Path(name)) if name.endswith(".json") else Config.preset(name)


def _length(text: str) -> int:
    length = _common.one_or_more(text)
    if length >= 2**31:
        raise argparse.ArgumentTypeError(f"no context is as long as {text[:20]}; the most is {2**31 - 1}")
    return length
